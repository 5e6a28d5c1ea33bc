"""Feature maps whose every cell says where it came from: 1000 * person + 16 * row + column."""

from __future__ import annotations

import torch
from face_part_fusion.fusion.features.records import PartFeatures, TargetPicture

CLASS_TOKEN = -7.0


def worth(person: int, grid: tuple[int, int] = (16, 16)) -> torch.Tensor:
    """(h, w)."""
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    return 1000.0 * person + 16 * rows + columns


def coded(person: int, grid: tuple[int, int] = (16, 16), count: int = 1) -> torch.Tensor:
    """(count, 1 + h*w, 1) with a class token before it."""
    tokens = torch.cat([torch.tensor([CLASS_TOKEN - person]), worth(person, grid).flatten()])
    return tokens[None, :, None].repeat(count, 1, 1)


def target(mode, boxes, masks=None, points=None, scheme="", count=1, grid=(16, 16), **changes) -> PartFeatures:
    picture = torch.zeros(count, 32, 32, 3)
    view = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(count, 1)
    own = TargetPicture(picture, picture, view, _rows(boxes, count), torch.zeros(count, 32, 32))
    return _features(mode, {"face": coded(0, grid, count)}, boxes, masks, points, scheme, {}, own, count, grid, changes)


def reference(
    mode, boxes, person, strengths, masks=None, points=None, scheme="", count=1, grid=(16, 16), **changes
) -> PartFeatures:
    tokens = {part: coded(person, grid, count) for part in boxes}
    return _features(mode, tokens, boxes, masks, points, scheme, strengths, None, count, grid, changes)


def _features(mode, tokens, boxes, masks, points, scheme, strengths, own, count, grid, changes) -> PartFeatures:
    points = torch.zeros(count, 0, 2) if points is None else points.expand(count, -1, 2)
    masks = {part: mask.expand(count, -1, -1) for part, mask in (masks or {}).items()}
    fields = dict(
        mode=mode, tokens=tokens, grid=grid, classes=1, encoder="a coded encoder", boxes=_rows(boxes, count),
        masks=masks, points=points, scheme=scheme, strengths=strengths, unconditioned=torch.ones_like(coded(0, grid)),
        target=own,
    )  # fmt: skip
    return PartFeatures(**{**fields, **changes})


def _rows(boxes, count):
    return {part: torch.tensor([box]).float().repeat(count, 1) for part, box in boxes.items()}
