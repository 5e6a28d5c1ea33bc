"""Holes of a picture filled with the mirror image of what lies around them: unlike a smooth filling it has grain."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .push_pull import fill_holes

# Longer side of the grid on which the nearest known pixel is looked for.
_GRID = 192
# Cells over which the direction to it is smoothed: without, mirror images meet at sharp seams.
_SMOOTH = 7


def fill_with_mirrored(picture: Tensor, known: Tensor) -> Tensor:
    """Each unknown pixel shows what lies as far beyond the edge of its hole as it lies within.

    Where nothing known lies there, the hole is filled smoothly (`fill_holes`).

    `picture`: (H, W, C) float32.
    `known`: (H, W) bool.

    Returns (H, W, C): `picture` where it is known, and everywhere when nothing is.
    """
    if bool(known.all()) or not bool(known.any()):
        return picture
    height, width = known.shape
    factor = min(1.0, _GRID / max(height, width))
    rows, columns = max(2, round(height * factor)), max(2, round(width * factor))
    cells = functional.adaptive_avg_pool2d(known.float()[None, None], (rows, columns))[0, 0] > 0.99
    if not bool(cells.any()):
        return fill_holes(picture, known.float())
    spots = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")).float()
    way = (nearest(cells) - spots) * (~cells)
    side = 2 * _SMOOTH + 1
    way = functional.avg_pool2d(functional.pad(way[None], (_SMOOTH,) * 4, mode="replicate"), side, 1)
    way = 2 * functional.interpolate(way, (height, width), mode="bilinear", align_corners=False)[0]
    ys = torch.arange(height)[:, None] + 0.5 + way[0] * height / rows
    xs = torch.arange(width)[None] + 0.5 + way[1] * width / columns
    grid = torch.stack([xs / width, ys / height], -1)[None] * 2 - 1
    stack = torch.cat([picture, known[..., None].float()], -1).permute(2, 0, 1)[None]
    sampled = functional.grid_sample(stack, grid, mode="bilinear", padding_mode="reflection", align_corners=False)[0]
    usable = sampled[-1] > 0.999
    filled = torch.where(known[..., None], picture, sampled[:-1].permute(1, 2, 0))
    return fill_holes(filled, (known | usable).float())


def nearest(cells: Tensor) -> Tensor:
    """(2, h, w) float: row and column of the nearest cell that is True in `cells` (h, w) bool (jump flooding)."""
    rows, columns = cells.shape
    spots = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")).float()
    far = 4.0 * (rows + columns)
    best = torch.where(cells, spots, torch.full_like(spots, far))
    step = 1 << (max(rows, columns) - 1).bit_length()
    while step := step // 2:
        for dy, dx in ((-step, 0), (step, 0), (0, -step), (0, step), (-step, -step), (-step, step), (step, -step),
                       (step, step)):  # fmt: skip
            padded = functional.pad(best, (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)), value=far)
            other = padded[:, max(-dy, 0) :, max(-dx, 0) :][:, :rows, :columns]
            nearer = (other - spots).square().sum(0) < (best - spots).square().sum(0)
            best = torch.where(nearer, other, best)
    return best
