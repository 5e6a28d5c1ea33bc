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
    return sampled(picture, points_in_picture(matrix, window, bend, amount), scale_of(matrix))


def warp_mask(mask: Tensor, matrix: Tensor, window: Window, bend: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """As `warp_window` for a mask (H, W) in 0..1 -> (h, w) in 0..1, 0 where the mask does not reach."""
    pixels, inside = warp_window(mask[..., None], matrix, window, bend)
    return (pixels[..., 0] * inside).clamp(0, 1)


def sampled(picture: Tensor, source: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """As `warp_window` where it is known which point of the picture belongs to each pixel.

    `source`: (2, h, w), of `points_in_picture`. `scale`: pixels of the frame per pixel of the picture.
    """
    height, width = picture.shape[:2]
    x, y = source
    part, (left, top), factors = _needed_part(picture, source, min(1.0, scale))
    # As `grid_sample` counts: from -1 to 1 over the part.
    across, along = (2 * factor / side for factor, side in zip(factors, (part.shape[1], part.shape[0]), strict=True))
    grid = torch.stack([(x - left).mul_(across).sub_(1), (y - top).mul_(along).sub_(1)], -1)
    pixels = functional.grid_sample(
        part.permute(2, 0, 1)[None], grid[None], mode="bicubic", padding_mode="border", align_corners=False
    )[0].permute(1, 2, 0)
    inside = (x >= 0) & (y >= 0) & (x <= width) & (y <= height)
    return pixels, inside.to(pixels.dtype)


def points_in_picture(
    matrix: Tensor, window: Window, bend: tuple[Tensor, Tensor] | None, amount: Tensor | None = None
) -> Tensor:
    """(2, h, w): x and y of the point of the picture that belongs to the middle of each pixel of the window.

    The arguments are those of `warp_window`.
    """
    x0, y0, x1, y1 = window
    inverse = invert_affine(matrix).double()
    across = inverse[:, :1] * (torch.arange(x0, x1) + 0.5)
    down = inverse[:, 1:2] * (torch.arange(y0, y1) + 0.5) + inverse[:, 2:]
    straight = across.float()[:, None] + down.float()[..., None]
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
    dense = dense[0, :, : y1 - y0, : x1 - x0]
    return straight + (dense if amount is None else dense * amount)


def _lattice(x0: float, y0: float, columns: int, rows: int, step: float) -> Tensor:
    ys, xs = torch.meshgrid(torch.arange(rows) * step + y0, torch.arange(columns) * step + x0, indexing="ij")
    return torch.stack([xs, ys], -1)


def _needed_part(picture: Tensor, source: Tensor, scale: float) -> tuple[Tensor, tuple[int, int], tuple[float, float]]:
    """The part of `picture` that `source` (2, h, w) reads, shrunk by `scale`; its top-left corner and the exact scales.

    Both are x, y; the scales are not quite `scale`, as sizes are whole pixels.
    """
    height, width = picture.shape[:2]
    margin = int(4 / scale) + 4
    (left, right), (top, bottom) = (map(float, one.aminmax()) for one in source)
    (x0, x1), (y0, y1) = pixel_span(left, right, width, margin), pixel_span(top, bottom, height, margin)
    part = picture[y0:y1, x0:x1]
    h, w = y1 - y0, x1 - x0
    if scale < 0.99:
        size = (max(1, round(h * scale)), max(1, round(w * scale)))
        part = functional.interpolate(
            part.permute(2, 0, 1)[None], size, mode="bicubic", align_corners=False, antialias=True
        )[0].permute(1, 2, 0)
    return part, (x0, y0), (part.shape[1] / w, part.shape[0] / h)
