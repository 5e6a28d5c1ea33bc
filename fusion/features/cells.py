"""Fusion of feature maps by whole cells, exactly as FuseAnyPart's published program does it.

Source: FuseAnyPart (arXiv 2410.22771), and its published program.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..batches import index_in
from .boxes import check_box
from .records import RELEASED_PARTS, ReferenceFeatures, TargetFeatures

# y0, x0, y1, x1 in cells, ends excluded.
Cells = tuple[int, int, int, int]


def fuse_cells(
    target: TargetFeatures, references: Sequence[ReferenceFeatures]
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Paste the cells of each part into the target's map, in the order eyes, nose, mouth.

    The cells of the part in the reference's own map are resized to the target's cells (nearest) and overwrite them,
    also where an earlier part lies; a strength below 1 mixes both linearly. The class token stays the target's.

    `target`: B pictures.
    `references`: B pictures or 1 each.

    Returns tokens (B, classes + h*w, C); part -> (B, h, w) float32, 1 in the cells that it takes and no later part
    covers, else 0; and (B, h, w) int64, whose share of each cell is the largest: 0 the target, i the i-th reference.
    Raises ValueError when two references give the same part, and for empty or inverted boxes.
    """
    maps = target.tokens[:, target.classes :].unflatten(1, target.grid).clone()
    origin = torch.zeros(len(target), *target.grid, dtype=torch.int64)
    cover: dict[str, Tensor] = {}
    for part in RELEASED_PARTS:
        number = _giver(references, part)
        if number is None:
            continue
        reference = references[number - 1]
        strength = reference.strengths[part]
        reference_maps = reference.tokens[part][:, reference.classes :].unflatten(1, reference.grid)
        cover[part] = torch.zeros(len(target), *target.grid)
        for i in range(len(target)):
            at = index_in(reference, i)
            cells = cells_of(target.boxes[part][i], target.grid, f"the target's {part}")
            reference_cells = cells_of(reference.boxes[part][at], target.grid, f"the {part} of {reference.name}")
            paste_cells(maps[i], cells, reference_maps[at], reference_cells, strength)
            rows, columns = slice(cells[0], cells[2]), slice(cells[1], cells[3])
            for name, part_cover in cover.items():
                part_cover[i, rows, columns] = float(name == part)
            if strength > 0.5:
                origin[i, rows, columns] = number
    tokens = torch.cat([target.tokens[:, : target.classes], maps.flatten(1, 2)], 1)
    return tokens, cover, origin


def cells_of(box: Tensor, grid: tuple[int, int], name: str = "the part") -> Cells:
    """The cells of a box, truncated, at least one.

    `box`: (4,), y0, x0, y1, x1 in 0..1.
    `grid`: h, w in cells.
    `name`: whose box it is, for the error.

    Raises ValueError for a box that leaves 0..1, or is empty or inverted.
    """
    check_box(box, name)
    top, left, bottom, right = (box * torch.tensor([*grid, *grid])).to(torch.int16).tolist()
    # A box in single precision can start at the very end of the map; the published program fails there.
    top, left = min(top, grid[0] - 1), min(left, grid[1] - 1)
    return top, left, max(bottom, top + 1), max(right, left + 1)


def paste_cells(target: Tensor, cells: Cells, reference: Tensor, reference_cells: Cells, strength: float = 1.0) -> None:
    """Overwrite `cells` of `target` with `reference_cells` of `reference`, resized; both maps are (h, w, C).

    `target` is changed in place; `strength` 0..1 mixes linearly.
    """
    y0, x0, y1, x1 = reference_cells
    crop = reference[y0:y1, x0:x1].permute(2, 0, 1)[None]
    y0, x0, y1, x1 = cells
    resized = functional.interpolate(crop, (y1 - y0, x1 - x0), mode="nearest")[0].permute(1, 2, 0)
    window = target[y0:y1, x0:x1]
    window.copy_(resized if strength == 1 else torch.lerp(window, resized, strength))


def _giver(references: Sequence[ReferenceFeatures], part: str) -> int | None:
    """The number, from 1, of the reference that gives the part; None when none does."""
    givers = [number for number, reference in enumerate(references, 1) if part in reference.strengths]
    if len(givers) > 1:
        names = " and ".join(references[number - 1].name for number in givers)
        raise ValueError(
            f"{names} all give the part '{part}', and mode 'released' takes it from one person; set it to 0 for the "
            "others, or encode all of them in mode 'practical', which averages them"
        )
    return givers[0] if givers else None
