"""Fusion of feature maps by whole cells, exactly as FuseAnyPart's published program does it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .boxes import check_box
from .records import RELEASED_PARTS, PartFeatures

Cells = tuple[int, int, int, int]


def fuse_cells(target: PartFeatures, references: Sequence[PartFeatures]) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Paste the cells of each part into the target's map, in the order eyes, nose, mouth.

    The part's cells of the reference's own map are resized to the target's cells (nearest) and overwrite them, also
    where an earlier part lay; a strength below 1 mixes them linearly with what is there. The class token stays the
    target's. Returns tokens (B, classes + h*w, C), part -> cells (B, h, w) of 0 and 1 that no later part took, and
    (B, h, w) int64, who gave most of each cell: 0 the target, i the i-th reference.

    Raises ValueError when two references give the same part, and for empty or inverted boxes.
    """
    maps = target.tokens["face"][:, target.classes :].unflatten(1, target.grid).clone()
    origin = torch.zeros(len(target), *target.grid, dtype=torch.int64)
    parts: dict[str, Tensor] = {}
    for part in RELEASED_PARTS:
        number = _giver(references, part)
        if number is None:
            continue
        reference = references[number - 1]
        strength = reference.strengths[part]
        sources = reference.tokens[part][:, reference.classes :].unflatten(1, reference.grid)
        parts[part] = torch.zeros(len(target), *target.grid)
        for i in range(len(target)):
            at = 0 if len(reference) == 1 else i
            here = cells_of(target.boxes[part][i], target.grid, f"the target's {part}")
            there = cells_of(reference.boxes[part][at], target.grid, f"the {part} of {reference.name}")
            paste_cells(maps[i], here, sources[at], there, strength)
            rows, columns = slice(here[0], here[2]), slice(here[1], here[3])
            for name, cells in parts.items():
                cells[i, rows, columns] = float(name == part)
            if strength > 0.5:
                origin[i, rows, columns] = number
    tokens = torch.cat([target.tokens["face"][:, : target.classes], maps.flatten(1, 2)], 1)
    return tokens, parts, origin


def cells_of(box: Tensor, grid: tuple[int, int], name: str = "the part") -> Cells:
    """A box (4,) y0, x0, y1, x1 in 0..1 -> its cells y0, x0, y1, x1 (ends excluded): truncated, at least one.

    Raises ValueError for a box that leaves 0..1, or is empty or inverted; `name` says whose it is.
    """
    check_box(box, name)
    side = torch.tensor([*grid, *grid])
    top, left, bottom, right = (box * side).to(torch.int16).tolist()
    # In single precision a box can start at the map's very end; the published program fails there.
    top, left = min(top, grid[0] - 1), min(left, grid[1] - 1)
    return top, left, max(bottom, top + 1), max(right, left + 1)


def paste_cells(target: Tensor, here: Cells, source: Tensor, there: Cells, strength: float = 1.0) -> None:
    """Overwrite the cells `here` of `target` (h, w, C), in place, with the cells `there` of `source`, resized."""
    crop = source[there[0] : there[2], there[1] : there[3]].permute(2, 0, 1)[None]
    resized = functional.interpolate(crop, (here[2] - here[0], here[3] - here[1]), mode="nearest")[0].permute(1, 2, 0)
    window = target[here[0] : here[2], here[1] : here[3]]
    window.copy_(resized if strength == 1 else torch.lerp(window, resized, strength))


def _giver(references: Sequence[PartFeatures], part: str) -> int | None:
    """The number (from 1) of the reference that gives the part."""
    givers = [number for number, reference in enumerate(references, 1) if part in reference.strengths]
    if len(givers) > 1:
        names = " and ".join(references[number - 1].name for number in givers)
        raise ValueError(
            f"{names} all give the part '{part}', and mode 'released' takes it from one person; set the others to 0 in "
            "their Part Encode, or use mode 'practical', which averages them"
        )
    return givers[0] if givers else None
