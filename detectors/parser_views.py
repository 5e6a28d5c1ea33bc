"""What the parser's net sees of a face, laid over one grid; and the filter that gives hair its strands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Share of the near crop's side over which it gives way to the wide one.
_RAMP = 20 / 256
# Radius in pixels and smoothing of the guided filter (He et al. 2010) that gives hair its strands; it computes on the
# crop at half size, which is as good here ("Fast Guided Filter", He and Sun 2015).
RADIUS, _SMOOTH = 3, 1e-3

# Pixels of a wide view that are so many cells wide lose nothing when every second cell is sampled.
_COARSER = 1.5

# Rows and columns of a rectangle of cells: the first, and the last + 1.
Cells = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class View:
    """What the net sees in one `square` (4,): its `crop` (3, s, s) and the probabilities (10, s, s)."""

    square: Tensor
    crop: Tensor
    probabilities: Tensor


def laid(views: Sequence[View], maps: Sequence[Tensor], corner: tuple[int, int], step: int, cells: Cells) -> Tensor:
    """Maps of the views, (C, s, s) each, laid over a rectangle of cells: (C, rows, columns). A near view lies on top.

    `corner`, `step`: the pixel (x, y) at which the cells begin, and their side in pixels.
    """
    # A wide view has larger pixels: every second cell is sampled where they reach over that.
    coarser = len(views) > 1 and float(views[-1].square[2]) >= _COARSER * step * maps[-1].shape[-1]
    whole, _ = _sampled(views[-1], maps[-1], corner, step, cells, 2 if coarser else 1)
    for view, own in zip(views[-2::-1], maps[-2::-1], strict=True):
        part = _reached(view.square, corner, step, cells)
        if not all(side.stop > side.start for side in part):
            continue
        near, inside = _sampled(view, own, corner, step, part)
        here = whole[:, _within(part[0], cells[0]), _within(part[1], cells[1])]
        here.lerp_(near, inside.expand_as(near))
    return whole


def _sampled(
    view: View, maps: Tensor, corner: tuple[int, int], step: int, cells: Cells, every: int = 1
) -> tuple[Tensor, Tensor]:
    """Maps of one view over a rectangle of cells, and how far inside the view each cell lies, 0..1.

    `every`: 1 samples each cell, 2 every second one of each row and column, and interpolates between them.
    """
    rows, columns = (side.stop - side.start for side in cells)
    size = (-(-rows // every), -(-columns // every))
    x, y = corner[0] + step * cells[1].start, corner[1] + step * cells[0].start
    grid, inside = _grid(view.square, (x, y), every * step, size)
    # With a small face, several pixels of the crop make one of the picture.
    several = int(maps.shape[-1] / float(view.square[2]))
    maps = F.avg_pool2d(maps[None], several) if several > 1 else maps[None]
    there = F.grid_sample(maps, grid, "bilinear", "border", align_corners=False)
    if every > 1:
        there = F.interpolate(there, scale_factor=every, mode="bilinear", align_corners=False)[..., :rows, :columns]
    return there[0], inside


def _reached(square: Tensor, corner: tuple[int, int], step: int, cells: Cells) -> Cells:
    """The rectangle of cells, within `cells`, that the square reaches."""
    reach = float(square[2]) / 2 * float(square[3].cos().abs() + square[3].sin().abs())
    sides = []
    for middle, first, side in ((float(square[1]), corner[1], cells[0]), (float(square[0]), corner[0], cells[1])):
        low, high = int((middle - reach - first) / step), int((middle + reach - first) / step) + 1
        start = min(max(low, side.start), side.stop)
        sides.append(slice(start, min(max(high, start), side.stop)))
    return sides[0], sides[1]


def _within(part: slice, whole: slice) -> slice:
    return slice(part.start - whole.start, part.stop - whole.start)


def _grid(square: Tensor, corner: tuple[int, int], step: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where `size` cells from `corner` on lie in the square: (1, *size, 2) in -1..1, and how far inside: `size`, 0..1.

    `corner`: x, y in pixels. `step`: side of a cell in pixels.
    """
    ys = (torch.arange(size[0]) + 0.5) * step + corner[1]
    xs = (torch.arange(size[1]) + 0.5) * step + corner[0]
    cos, sin = (2 / square[2] * t for t in (square[3].cos(), square[3].sin()))
    right, down = xs - square[0], (ys - square[1])[:, None]
    grid = torch.stack((cos * right + sin * down, cos * down - sin * right), -1)
    inside = ((1 - grid.abs().amax(-1)) * (0.5 / _RAMP)).clamp(0, 1)
    return grid[None], inside


def strand_models(guide: Tensor, area: Tensor) -> Tensor:
    """The guided filter's linear model of `area` (h, w) in the colours of `guide` (3, h, w): (4, h, w)."""
    size = area.shape
    guide, area = F.avg_pool2d(guide[None], 2)[0], F.avg_pool2d(area[None], 2)[0]
    products = torch.stack([guide[i] * guide[j] for i in range(3) for j in range(i, 3)])
    mean = _box(torch.cat((guide, products, area[None], guide * area)))
    g, gg, a, ga = mean[:3], mean[3:9], mean[9], mean[10:]
    rr, rg, rb, gg_, gb, bb = (
        gg[n] - g[i] * g[j] + (_SMOOTH if i == j else 0)
        for n, (i, j) in enumerate((i, j) for i in range(3) for j in range(i, 3))
    )
    cov = ga - g * a
    # The inverse of the 3 x 3 covariance by its cofactors.
    inverse = torch.stack((
        torch.stack((gg_ * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg_ * rb)),
        torch.stack((gb * rb - rg * bb, rr * bb - rb * rb, rb * rg - rr * gb)),
        torch.stack((rg * gb - gg_ * rb, rb * rg - rr * gb, rr * gg_ - rg * rg)),
    ))  # fmt: skip
    determinant = rr * inverse[0, 0] + rg * inverse[0, 1] + rb * inverse[0, 2]
    slope = (inverse * cov).sum(1) / determinant
    model = _box(torch.cat((slope, (a - (slope * g).sum(0))[None])))
    return F.interpolate(model[None], size, mode="bilinear", align_corners=False)[0]


def _box(maps: Tensor) -> Tensor:
    """The mean of each map (C, h, w) over a square around every pixel, smaller at the edges."""
    side = 2 * RADIUS + 1
    # Channels last is three times as fast here.
    maps = maps[None].contiguous(memory_format=torch.channels_last)
    rows = F.avg_pool2d(maps, (1, side), 1, (0, RADIUS), count_include_pad=False)
    return F.avg_pool2d(rows, (side, 1), 1, (RADIUS, 0), count_include_pad=False)[0]
