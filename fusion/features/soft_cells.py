"""Fusion of feature maps finer than a cell: soft masks, landmarks moved onto landmarks, several people per part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.boxes import corners_of
from ...detectors.parts import GROUPS, Face, Region
from ...detectors.progress import Progress, counted, stages
from ..area import FEATURE_PARTS
from ..batches import index_in
from ..correspondence import shared_points
from ..similarity import apply_affine, fit_similarity
from .boxes import OVERHANG, check_box
from .records import PartFeatures, ReferenceFeatures, TargetFeatures

RESAMPLINGS = ("similarity", "box")
# Points are rounded to this fraction of a cell, so that a face moved onto itself is sampled exactly at its cells.
_FINEST = 2**16


def fuse_soft_cells(
    target: TargetFeatures,
    references: Sequence[ReferenceFeatures],
    resample: str = "similarity",
    feather: float = 0.25,
    progress: Progress | None = None,
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Fuse the parts of `references` into the target's map, each as far as the target's own part reaches.

    Parts are fused in the order of FEATURE_PARTS (skin, brows, eyes, nose, mouth, single sides after their pair); a
    later one covers an earlier one. References that give the same part are averaged by strength; together they replace
    the target's by the sum of their strengths, at most wholly. The class token stays the target's.

    `target`: B pictures.
    `references`: B pictures or 1 each.
    `resample`: "similarity" moves the shared landmarks onto one another (the boxes where one side has no landmarks),
        "box" stretches box onto box.
    `feather`: cells over which a part fades out inside its mask.
    `progress`: called after each picture of each reference.

    Returns tokens (B, classes + h*w, C); part -> (B, h, w), 0..1, how much of each cell it takes; and (B, h, w) int64,
    whose share of each cell is the largest: 0 the target, i the i-th reference.
    Raises ValueError when a mask misses every cell, and for a box that is empty, inverted or outside the view.
    """
    cells = target.tokens[:, target.classes :].clone()
    shares = torch.zeros(len(target), 1 + len(references), cells.shape[1])
    shares[:, 0] = 1
    covers: dict[str, Tensor] = {}
    part_progress = iter(stages(progress, sum(len(reference.strengths) for reference in references)))
    for part in FEATURE_PARTS:
        givers = [number for number, reference in enumerate(references, 1) if part in reference.strengths]
        if not givers:
            continue
        _check_boxes(target, part, f"the target's {part}")
        cover = part_cover(target, part, feather).flatten(1)
        for earlier in covers:
            covers[earlier] = covers[earlier] * (1 - cover)
        covers[part] = cover
        strengths = torch.tensor([references[number - 1].strengths[part] for number in givers])
        weight = cover * strengths.sum().clamp(max=1)
        mean = torch.zeros_like(cells)
        shares *= 1 - weight[:, None]
        for number, share in zip(givers, strengths / strengths.sum(), strict=True):
            mean += share * _sampled(target, references[number - 1], part, resample, next(part_progress))
            shares[:, number] += weight * share
        cells = torch.lerp(cells, mean, weight[..., None])
    tokens = torch.cat([target.tokens[:, : target.classes], cells], 1)
    shape = (len(target), *target.grid)
    return tokens, {part: cover.view(shape) for part, cover in covers.items()}, shares.argmax(1).view(shape)


def part_cover(features: PartFeatures, part: str, feather: float) -> Tensor:
    """How much of each cell the target's part covers, fading to 0 over `feather` cells inside its edge.

    However wide the fade, the pixels farthest inside keep their mask's value, so that no part disappears.

    Returns (B, h, w) float32, 0..1. Raises ValueError when the mask misses every cell.
    """
    masks = features.masks[part]
    radius = round(feather * masks.shape[-1] / features.grid[1])
    faded = masks
    if radius:
        blurred = functional.avg_pool2d(masks[:, None], 2 * radius + 1, 1, radius)[:, 0]
        blurred = blurred / blurred.amax((1, 2), keepdim=True).clamp_min(1e-6)
        faded = masks * (2 * blurred - 1).clamp(0, 1)
    return _checked_cover(functional.adaptive_avg_pool2d(faded, features.grid), f"the target's {part}")


def _sampled(
    target: TargetFeatures, reference: ReferenceFeatures, part: str, resample: str, progress: Progress | None
) -> Tensor:
    """(B, h*w, C): the reference's part, read at the point that corresponds to the middle of each target cell."""
    name = f"the {part} of {reference.name}"
    _check_boxes(reference, part, name)
    valid = _checked_cover(functional.adaptive_avg_pool2d(reference.masks[part], reference.grid), name)
    sampled = []
    for i in counted(range(len(target)), progress):
        at = index_in(reference, i)
        weights = _bilinear(_reference_points(target, i, reference, at, part, resample), valid[at])
        sampled.append(weights @ reference.tokens[part][at, reference.classes :])
    return torch.stack(sampled)


def _reference_points(
    target: TargetFeatures, i: int, reference: ReferenceFeatures, at: int, part: str, resample: str
) -> Tensor:
    """(h*w, 2): the point x, y of the reference's map, in cells, that corresponds to the middle of each target cell."""
    h, w = target.grid
    rows, columns = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    side = torch.tensor([w, h], dtype=torch.float64)
    middles = torch.stack([columns, rows], -1).view(-1, 2).double() / side
    if resample == "box":
        box, reference_box = target.boxes[part][i].double(), reference.boxes[part][at].double()
        low, scale = box[:2].flip(0), ((reference_box[2:] - reference_box[:2]) / (box[2:] - box[:2])).flip(0)
        points = (middles - low) * scale + reference_box[:2].flip(0)
    else:
        matrix = fit_similarity(*shared_points(_face(target, i, part), _face(reference, at, part), part))
        points = apply_affine(matrix, middles)
    return torch.round(points * side * _FINEST) / _FINEST


def _bilinear(points: Tensor, valid: Tensor) -> Tensor:
    """(n, h*w) float32, rows of sum 1: the weights of the cells around each point (n, 2), times `valid` (h, w) 0..1.

    Where no cell around a point is valid, the nearest valid one counts alone.
    """
    h, w = valid.shape
    x = points[:, 0].clamp(0.5, w - 0.5)[:, None] - (torch.arange(w) + 0.5)
    y = points[:, 1].clamp(0.5, h - 0.5)[:, None] - (torch.arange(h) + 0.5)
    near = (1 - y.abs()).clamp_min(0)[:, :, None] * (1 - x.abs()).clamp_min(0)[:, None, :]
    weights = (near * valid).flatten(1)
    total = weights.sum(1, keepdim=True)
    distance = (y[:, :, None] ** 2 + x[:, None, :] ** 2).masked_fill(valid == 0, float("inf")).flatten(1)
    nearest = functional.one_hot(distance.argmin(1), h * w).to(weights.dtype)
    return torch.where(total > 0, weights / total, nearest).float()


def _face(features: PartFeatures, i: int, part: str) -> Face:
    """The i-th face as far as `shared_points` needs it, in 0..1 of the view."""
    y0, x0, y1, x1 = features.boxes[part][i].double().tolist()
    regions = dict.fromkeys(GROUPS.get(part, (part,)), Region((corners_of((x0, y0, x1, y1), torch.float64),)))
    return Face((x0, y0, x1, y1), 1.0, features.points[i].double(), features.scheme, regions=regions)


def _check_boxes(features: PartFeatures, part: str, whose: str) -> None:
    boxes = features.boxes[part]
    for i, box in enumerate(boxes, 1):
        check_box(box, whose if len(boxes) == 1 else f"{whose} in picture {i}", OVERHANG)


def _checked_cover(cover: Tensor, whose: str) -> Tensor:
    missed = [i for i, one in enumerate(cover, 1) if not bool((one > 0).any())]
    if missed:
        raise ValueError(
            f"the mask of {whose} misses every cell of the encoder's view in picture {missed[0]}; use a picture that "
            "shows the part, or encode it with a larger padding"
        )
    return cover
