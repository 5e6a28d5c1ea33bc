"""Feature maps whose every cell says where it came from: 1000 * person + 16 * row + column."""

from __future__ import annotations

import torch
from face_part_fusion.fusion.features.records import ReferenceFeatures, TargetFeatures, TargetPicture

CLASS_TOKEN = -7.0


def worth(person: int, grid: tuple[int, int] = (16, 16)) -> torch.Tensor:
    """(h, w)."""
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    return 1000.0 * person + 16 * rows + columns


def coded(person: int, grid: tuple[int, int] = (16, 16), count: int = 1) -> torch.Tensor:
    """(count, 1 + h*w, 1) with a class token before it."""
    tokens = torch.cat([torch.tensor([CLASS_TOKEN - person]), worth(person, grid).flatten()])
    return tokens[None, :, None].repeat(count, 1, 1)


def target(mode, boxes, masks=None, points=None, scheme="", count=1, grid=(16, 16), **changes) -> TargetFeatures:
    picture = torch.zeros(count, 32, 32, 3)
    view = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(count, 1)
    photograph = TargetPicture(picture, picture, view, _rows(boxes, count), torch.zeros(count, 32, 32))
    shared = _shared_fields(mode, boxes, masks, points, scheme, count, grid)
    return TargetFeatures(**{**shared, "tokens": coded(0, grid, count), "target": photograph, **changes})


def reference(
    mode, boxes, person, strengths, masks=None, points=None, scheme="", count=1, grid=(16, 16), **changes
) -> ReferenceFeatures:
    tokens = {part: coded(person, grid, count) for part in boxes}
    shared = _shared_fields(mode, boxes, masks, points, scheme, count, grid)
    return ReferenceFeatures(**{**shared, "tokens": tokens, "strengths": strengths, **changes})


def as_reference(face: TargetFeatures, strengths) -> ReferenceFeatures:
    """The target as a reference of itself."""
    fields = {name: value for name, value in vars(face).items() if name != "target"}
    return ReferenceFeatures(**{**fields, "tokens": dict.fromkeys(strengths, face.tokens), "strengths": strengths})


def _shared_fields(mode, boxes, masks, points, scheme, count, grid):
    points = torch.zeros(count, 0, 2) if points is None else points.expand(count, -1, 2)
    masks = {part: mask.expand(count, -1, -1) for part, mask in (masks or {}).items()}
    return dict(
        mode=mode, grid=grid, classes=1, encoder="a coded encoder", boxes=_rows(boxes, count), masks=masks,
        points=points, scheme=scheme, unconditioned=torch.ones_like(coded(0, grid)),
    )  # fmt: skip


def _rows(boxes, count):
    return {part: torch.tensor([box]).float().repeat(count, 1) for part, box in boxes.items()}
