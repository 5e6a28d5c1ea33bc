"""What FuseAnyPart adds, independent of any model: how strong each cell is, and how the cells lie over a block.

`grid` (h, w) is the encoder's, `size` (H, W) a block's. A `Window` is the piece of the latent that the model is called
with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import GROUPS
from ...fusion.features.records import FusedFeatures
from ..sampling.grid_masks import WHOLE, Size, Window, mask_on_grid
from ..sampling.rows import Rows
from ..unet.blocks import BLOCKS


@dataclass(frozen=True, eq=False)
class Residuals:
    """Features of B pictures with their strengths.

    `tokens`: (B + 1, classes + h*w, C), the last of them unconditioned. `cells`: (1 or B, h*w), the strength of each
    cell. `blocks`: block name -> weight. `view`: (B, 4), where the cells lie in the picture, y0, x0, y1, x1 in 0..1.
    `mask`: (1 or B, H, W) in 0..1 over the picture, laid on the blocks' grids; None for none.
    """

    tokens: Tensor
    grid: Size
    classes: int
    cells: Tensor
    blocks: Mapping[str, float]
    view: Tensor
    mask: Tensor | None = None

    @property
    def patches(self) -> Tensor:
        """(B + 1, h*w, C)."""
        return self.tokens[:, self.classes :]

    def acts(self, block: str) -> bool:
        """Whether any cell of the block has a strength."""
        return self.blocks[block] != 0 and bool(self.cells.any())

    def spread(self, values: Tensor, block: str) -> Tensor:
        """(B + 1, h*w, C) times the strengths -> (B + M, h*w, C): B conditioned, M = 1 or B unconditioned."""
        cells = self.cells.to(values)[..., None] * self.blocks[block]
        return torch.cat([values[:-1] * cells, values[-1:] * cells])

    def indices(self, rows: Rows) -> tuple[list[int], list[int]]:
        """For each row, its index in what `spread` returns, and its picture.

        Raises ValueError when the sampled latents are not a multiple of the pictures.
        """
        pictures = len(self.tokens) - 1
        check_rows(rows.latents, pictures)
        return rows.take(pictures, empty=len(self.cells)), rows.pictures(pictures)

    def weights(self, size: Size, window: Window = WHOLE) -> tuple[Tensor, Tensor]:
        """(B, H, h) and (B, W, w): with which weight each row and column of a block takes each of the cells'."""
        (h, w), (height, width) = self.grid, size
        low = torch.tensor([window[0], window[1]] * 2)
        share = torch.tensor([window[2] - window[0], window[3] - window[1]] * 2)
        y0, x0, y1, x1 = ((self.view.float() - low) / share).unbind(1)
        return linear_weights(y0, y1, h, height), linear_weights(x0, x1, w, width)


def residuals(
    fused: FusedFeatures, strength: float = 1.0, parts: Mapping[str, float] | None = None,
    blocks: Mapping[str, float] | None = None, mask: Tensor | None = None,
) -> Residuals:  # fmt: skip
    """What `fused` adds.

    `parts`: part -> factor where it lies; `blocks`: block name -> weight; 1 for those that are not named. `mask`: (1 or
    B, H, W) in 0..1 over the target's picture. In released mode, where the cells lie over the whole latent, it becomes
    part of their strength; in practical mode it is laid on each block. Raises ValueError for a mask whose count does
    not fit or whose white reaches no feature, and for a strength that is not a number from 0 on.
    """
    for name, factor in {"strength": strength, **(parts or {})}.items():
        if not (math.isfinite(factor) and factor >= 0):
            raise ValueError(f"{name} is {factor}; it must be a number, 0 or more")
    released = fused.mode == "released"
    if mask is not None:
        mask = _checked(mask, torch.tensor([WHOLE]) if released else fused.target.view, len(fused))
    cells = cell_strengths(fused, strength, parts or {}, mask if released else None)
    return Residuals(
        tokens=torch.cat([fused.tokens, fused.unconditioned]).float(),
        grid=fused.grid,
        classes=fused.classes,
        cells=cells,
        blocks={block.name: (blocks or {}).get(block.name, 1.0) for block in BLOCKS},
        view=torch.tensor([WHOLE]).expand(len(fused), 4) if released else fused.target.view,
        mask=None if released else mask,
    )


def cell_strengths(
    fused: FusedFeatures, strength: float, parts: Mapping[str, float], mask: Tensor | None = None
) -> Tensor:
    """(1 or B, h*w): strength, times each part's where it lies, times the mask's share of each cell.

    A name of a group ("eyes") counts for its sides too. One row serves all pictures when theirs are the same.
    """
    cells = torch.full((len(fused), *fused.grid), float(strength))
    for part, coverage in fused.parts.items():
        names = [part, *(group for group, sides in GROUPS.items() if part in sides)]
        factor = math.prod(parts.get(name, 1.0) for name in names)
        cells *= 1 + coverage.to(cells) * (factor - 1)
    if mask is not None:
        cells *= mask_on_grid(mask, fused.grid)
    cells = cells.flatten(1)
    return cells[:1] if bool((cells == cells[:1]).all()) else cells


def nearest_cells(grid: Size, size: Size, window: Window = WHOLE) -> tuple[Tensor, Tensor]:
    """(H,) and (W,) int64: the row and column of `grid` that each of a block's takes, by nearest interpolation."""
    y0, x0, y1, x1 = window
    return _nearest(grid[0], size[0], y0, y1), _nearest(grid[1], size[1], x0, x1)


def linear_weights(low: Tensor, high: Tensor, cells: int, pixels: int) -> Tensor:
    """(B, pixels, cells): linear weights with which `pixels` in 0..1 see `cells` that lie between low and high (B,).

    Smooth where the cells are larger than pixels, averaged where they are smaller, 0 outside; a pixel at the border
    counts by the share of it that lies inside.
    """
    edges = torch.linspace(0, 1, pixels + 1)
    low, high = low[:, None].float(), high[:, None].float()
    inside = (torch.minimum(edges[1:], high) - torch.maximum(edges[:-1], low)).clamp(min=0) * pixels
    span = cells / (high - low).clamp(min=1e-6)
    position = (((edges[1:] + edges[:-1]) / 2 - low) * span - 0.5).clamp(0, cells - 1)
    reach = (span / pixels).clamp(min=1.0)
    weights = (1 - (position[..., None] - torch.arange(cells)).abs() / reach[..., None]).clamp(min=0)
    return weights / weights.sum(-1, keepdim=True) * inside[..., None]


def _nearest(cells: int, pixels: int, low: float, high: float) -> Tensor:
    whole = max(pixels, round(pixels / (high - low)))
    index = functional.interpolate(torch.arange(cells).float()[None, None], whole, mode="nearest")[0, 0].long()
    start = min(round(low * whole), whole - pixels)
    return index[start : start + pixels]


def check_rows(latents: int, pictures: int) -> None:
    """Raises ValueError when the sampled latents cannot be shared out to the `pictures`."""
    if latents % pictures:
        raise ValueError(
            f"the sampler's latent has {latents} pictures and the model was made for {pictures}, so it is not known "
            "which of them a latent belongs to; give the sampler the whole latent of this node, or "
            f"{pictures} or a multiple of them in that order"
        )


def _checked(mask: Tensor, views: Tensor, count: int) -> Tensor:
    mask = mask.reshape(-1, *mask.shape[-2:]).float().clamp(0, 1)
    if len(mask) not in (1, count):
        raise ValueError(f"mask has {len(mask)} masks and fused has {count} pictures; give one mask, or {count}")
    if not (mask > 0).any():
        raise ValueError(
            "mask has no white, so no feature would be added; paint white where they shall act, or take the mask off"
        )
    if not any(bool((_in_view(mask, view) > 0).any()) for view in views):
        raise ValueError(
            "the white of mask lies wholly outside the part of the picture that the features cover; paint white where "
            "the face is"
        )
    return mask


def _in_view(mask: Tensor, view: Tensor) -> Tensor:
    """What `view` (4,), y0, x0, y1, x1 in 0..1, shows of the masks (M, H, W), up to whole pixels."""
    (y0, x0, y1, x1), (height, width) = view.clamp(0, 1).tolist(), mask.shape[-2:]
    return mask[:, int(y0 * height) : math.ceil(y1 * height), int(x0 * width) : math.ceil(x1 * width)]
