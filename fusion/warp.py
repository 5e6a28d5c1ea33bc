"""Resampling: a picture laid into another frame by a similarity, or bent so that landmarks meet landmarks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window, pixel_span
from .similarity import apply_affine, invert_affine, moving_similarity, scale_of

_STRIDE = 8


def warp_window(
    picture: Tensor, matrix: Tensor, window: Window, bend: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """`picture` (H, W, C) laid into another frame by the affine `matrix` (2, 3), seen through `window` of that frame.

    `bend`: landmarks (there, here), both (K, 2) pixels, that must meet exactly (moving least squares); `matrix` then
    only says how much the picture shrinks. What shrinks is filtered first, so nothing aliases. Returns the pixels
    (h, w, C), the picture's border repeated outside it, and (h, w) float: 1 where the picture reaches, 0 elsewhere.
    """
    source = _places_in_picture(matrix, window, bend)
    height, width = picture.shape[:2]
    part, corner, factor = _needed_part(picture, source, min(1.0, scale_of(matrix)))
    size = torch.tensor([part.shape[1], part.shape[0]])
    grid = (source - corner) * factor / size * 2 - 1
    pixels = functional.grid_sample(
        part.permute(2, 0, 1)[None], grid[None], mode="bicubic", padding_mode="border", align_corners=False
    )[0].permute(1, 2, 0)
    inside = (source >= 0).all(-1) & (source[..., 0] <= width) & (source[..., 1] <= height)
    return pixels, inside.to(pixels.dtype)


def _places_in_picture(matrix: Tensor, window: Window, bend: tuple[Tensor, Tensor] | None) -> Tensor:
    x0, y0, x1, y1 = window
    inverse = invert_affine(matrix).double()
    across = (torch.arange(x0, x1) + 0.5).double()[:, None] * inverse[:, 0]
    down = (torch.arange(y0, y1) + 0.5).double()[:, None] * inverse[:, 1] + inverse[:, 2]
    straight = across.float()[None, :] + down.float()[:, None]
    if bend is None:
        return straight
    # What a bend adds to the similarity is small and smooth, so it is worked out on a coarse lattice that overhangs the
    # window. The similarity itself must not be: bicubic interpolation does not keep straight lines straight.
    columns, rows = (x1 - x0) // _STRIDE + 2, (y1 - y0) // _STRIDE + 2
    there, here = bend
    lattice = _mesh(x0 + 0.5, y0 + 0.5, columns, rows, _STRIDE)
    added = moving_similarity(here, there, lattice) - apply_affine(inverse, lattice)
    size = ((rows - 1) * _STRIDE + 1, (columns - 1) * _STRIDE + 1)
    dense = functional.interpolate(added.permute(2, 0, 1)[None], size, mode="bicubic", align_corners=True)
    return straight + dense[0].permute(1, 2, 0)[: y1 - y0, : x1 - x0]


def _mesh(x0: float, y0: float, columns: int, rows: int, step: float) -> Tensor:
    ys, xs = torch.meshgrid(torch.arange(rows) * step + y0, torch.arange(columns) * step + x0, indexing="ij")
    return torch.stack([xs, ys], -1)


def _needed_part(picture: Tensor, source: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """The part of `picture` that `source` (h, w, 2) reads, shrunk by `scale`; its corner and true scale (x, y)."""
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
