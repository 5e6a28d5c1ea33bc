"""Resampling: a picture in another frame, by a similarity or by a bend that takes landmarks exactly to landmarks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window, pixel_span
from .similarity import apply_affine, invert_affine, scale_of
from .thin_plate import thin_plate

# Pixels, and share of a window's longer side, between the points of the lattice on which a bend is computed: it is
# small and smooth.
_STRIDE, _SHARE = 8, 1 / 48
# How far a bend may miss a landmark (`thin_plate`): meshes err by about as much.
SLACK = 0.01


def warp_window(
    picture: Tensor,
    matrix: Tensor,
    window: Window,
    bend: tuple[Tensor, Tensor] | None = None,
    amount: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A window of another frame, filled from `picture`.

    `picture`: (H, W, C) float32.
    `matrix`: (2, 3), pixels of the picture -> pixels of the frame.
    `window`: x0, y0, x1, y1 in pixels of the frame.
    `bend`: landmarks (on the picture, in the frame), both (K, 2) pixels, that must meet, up to the errors of a mesh
        (thin plate spline); `matrix` then only says how far the picture shrinks.
    `amount`: (h, w), 0..1, how far each pixel follows the bend rather than `matrix`; None: wholly.

    A picture that shrinks is filtered first, so nothing aliases. Returns the pixels (h, w, C), with the picture's
    border repeated outside it, and (h, w) float32: 1 where the picture reaches, 0 elsewhere.
    """
    source = _points_in_picture(matrix, window, bend, amount)
    height, width = picture.shape[:2]
    part, corner, factor = _needed_part(picture, source, min(1.0, scale_of(matrix)))
    size = torch.tensor([part.shape[1], part.shape[0]])
    grid = (source - corner) * factor / size * 2 - 1
    pixels = functional.grid_sample(
        part.permute(2, 0, 1)[None], grid[None], mode="bicubic", padding_mode="border", align_corners=False
    )[0].permute(1, 2, 0)
    inside = (source >= 0).all(-1) & (source[..., 0] <= width) & (source[..., 1] <= height)
    return pixels, inside.to(pixels.dtype)


def warp_mask(mask: Tensor, matrix: Tensor, window: Window, bend: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """As `warp_window` for a mask (H, W) in 0..1 -> (h, w) in 0..1, 0 where the mask does not reach."""
    pixels, inside = warp_window(mask[..., None], matrix, window, bend)
    return (pixels[..., 0] * inside).clamp(0, 1)


def _points_in_picture(
    matrix: Tensor, window: Window, bend: tuple[Tensor, Tensor] | None, amount: Tensor | None
) -> Tensor:
    """(h, w, 2): the point x, y of the picture that belongs to the middle of each pixel of the window."""
    x0, y0, x1, y1 = window
    inverse = invert_affine(matrix).double()
    across = (torch.arange(x0, x1) + 0.5).double()[:, None] * inverse[:, 0]
    down = (torch.arange(y0, y1) + 0.5).double()[:, None] * inverse[:, 1] + inverse[:, 2]
    straight = across.float()[None, :] + down.float()[:, None]
    if bend is None:
        return straight
    # Only what the bend adds to the similarity is computed on a coarse lattice, which overhangs the window. The
    # similarity itself must not be: bicubic interpolation does not keep straight lines straight.
    stride = max(_STRIDE, round(_SHARE * max(x1 - x0, y1 - y0)))
    columns, rows = (x1 - x0) // stride + 2, (y1 - y0) // stride + 2
    picture_points, frame_points = bend
    lattice = _lattice(x0 + 0.5, y0 + 0.5, columns, rows, stride)
    addition = (thin_plate(frame_points, picture_points, SLACK)(lattice) - apply_affine(inverse, lattice)).float()
    size = ((rows - 1) * stride + 1, (columns - 1) * stride + 1)
    dense = functional.interpolate(addition.permute(2, 0, 1)[None], size, mode="bicubic", align_corners=True)
    dense = dense[0].permute(1, 2, 0)[: y1 - y0, : x1 - x0]
    return straight + (dense if amount is None else dense * amount[..., None])


def _lattice(x0: float, y0: float, columns: int, rows: int, step: float) -> Tensor:
    ys, xs = torch.meshgrid(torch.arange(rows) * step + y0, torch.arange(columns) * step + x0, indexing="ij")
    return torch.stack([xs, ys], -1)


def _needed_part(picture: Tensor, source: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """The part of `picture` that `source` (h, w, 2) reads, shrunk by `scale`; its top-left corner and the exact scale.

    Both are x, y; the scale is not quite `scale`, as sizes are whole pixels.
    """
    height, width = picture.shape[:2]
    margin = int(4 / scale) + 4
    (left, top), (right, bottom) = source.amin((0, 1)).tolist(), source.amax((0, 1)).tolist()
    (x0, x1), (y0, y1) = pixel_span(left, right, width, margin), pixel_span(top, bottom, height, margin)
    part = picture[y0:y1, x0:x1]
    h, w = y1 - y0, x1 - x0
    if scale < 0.99:
        size = (max(1, round(h * scale)), max(1, round(w * scale)))
        part = functional.interpolate(
            part.permute(2, 0, 1)[None], size, mode="bicubic", align_corners=False, antialias=True
        )[0].permute(1, 2, 0)
    factor = torch.tensor([part.shape[1] / w, part.shape[0] / h])
    return part, torch.tensor([float(x0), float(y0)]), factor
