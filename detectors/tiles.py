"""Which windows of a picture the detectors look at, and one answer out of many that overlap.

A level is the picture at one scale, cut into overlapping windows where it is too large for one. The full-range net,
all convolutions, takes any size: one window shows it more of the surroundings than squares of its own size would,
costs a fifth less and cuts no face in two. It sees faces from SEEN pixels to about its own size, and each level is
about STEP times finer than the one before at most. Windows overlap by twice SEEN: the smallest faces are whole in one
of them, and of a larger one that lies on a border either the coarser level sees it or its greater part is seen, which
suffices for the mesh to find its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import crops

# Pixels that a face needs in the net's square; benchmarks/detection.py measures the recall by size.
SEEN = 16
STEP = 3.0
# Sides of a window are multiples of the net's coarsest cell, and at most so long that its maps fit into the memory.
CELL, LONGEST = 32, 640
# Boxes that share this much of their union, or of the smaller one, are the same face.
SAME_UNION = 0.3
SAME_INSIDE = 0.7


@dataclass(frozen=True)
class Level:
    """The picture resized to `height` x `width`; the size (height, width) and top-left pixels (x, y) of its windows.

    A window may reach beyond the picture, where it is black.
    """

    height: int
    width: int
    window: tuple[int, int]
    corners: tuple[tuple[int, int], ...]


def whole(height: int, width: int, size: int) -> Level:
    """The whole picture centred in one square of `size`, its longer side filling it."""
    scale = size / max(height, width)
    h, w = max(round(height * scale), 1), max(round(width * scale), 1)
    return Level(h, w, (size, size), (((w - size) // 2, (h - size) // 2),))


def fine_levels(height: int, width: int, size: int, smallest: int) -> tuple[Level, ...]:
    """The levels finer than `whole` that faces of `smallest` pixels need; none where the whole picture shows them.

    Raises ValueError when `smallest` is less than one pixel.
    """
    if smallest < 1:
        raise ValueError(f"smallest is {smallest}; a face needs at least one pixel, 32 is a good value")
    coarse, finest = size / max(height, width), min(SEEN / smallest, 1.0)
    count = max(math.ceil(math.log(finest / coarse, STEP) - 0.1), 0) if finest > coarse else 0
    scales = [coarse * (finest / coarse) ** ((i + 1) / count) for i in range(count)]
    return tuple(_tiled(max(round(height * s), 1), max(round(width * s), 1)) for s in scales)


def _tiled(height: int, width: int) -> Level:
    (tall, down), (wide, across) = _cover(height), _cover(width)
    return Level(height, width, (tall, wide), tuple((x, y) for y in down for x in across))


def _cover(length: int) -> tuple[int, list[int]]:
    """The side of the windows that cover `length`, and their starts, evenly spread, overlapping by twice SEEN."""
    side = min(-(-length // CELL) * CELL, LONGEST)
    if length <= side:
        return side, [(length - side) // 2]
    count = math.ceil((length - side) / (side - 2 * SEEN)) + 1
    return side, [round(i * (length - side) / (count - 1)) for i in range(count)]


# Pictures (B, 3, H, W) by (H, W), their own size first.
Pyramid = Mapping[tuple[int, int], Tensor]


def pyramid(pictures: Tensor, sizes: Sequence[tuple[int, int]]) -> Pyramid:
    """The pictures (B, 3, H, W) also at each (height, width); each made from the next that is twice as large."""
    made = {(pictures.shape[-2], pictures.shape[-1]): pictures}
    for height, width in sorted(sizes, reverse=True):
        large = [size for size in made if size[0] >= 2 * height and size[1] >= 2 * width]
        source = min(large) if large else (pictures.shape[-2], pictures.shape[-1])
        made[height, width] = crops.shrink(made[source], height, width)
    return made


def crop(scaled: Pyramid, number: int, square: Tensor, size: int) -> Tensor:
    """Picture `number`, one square (4,) of it -> (3, size, size), from the smallest level that is fine enough."""
    height, width = next(iter(scaled))
    need = size / max(float(square[2]), 1e-6)
    fine = [(h, w) for h, w in scaled if h >= need * height and w >= need * width]
    level = min(fine, default=(height, width))
    across, down = level[1] / width, level[0] / height
    return crops.crop(scaled[level][number], square * square.new_tensor((across, down, (across + down) / 2, 1)), size)


def cut(picture: Tensor, corner: tuple[int, int], window: Tensor) -> None:
    """Fill `window` (3, H, W) with the picture (3, h, w) in 0..1 from `corner` (x, y) on, as -1..1; black outside."""
    (x, y), (tall, wide) = corner, window.shape[-2:]
    part = picture[:, max(y, 0) : y + tall, max(x, 0) : x + wide]
    top, left = max(-y, 0), max(-x, 0)
    inside = window[:, top : top + part.shape[-2], left : left + part.shape[-1]]
    if inside.shape != window.shape:
        window.fill_(-1.0)
    inside.copy_(part).mul_(2).sub_(1)


def to_picture(points: Tensor, level: Level, corner: tuple[int, int], height: int, width: int) -> Tensor:
    """Points (..., 2) of the window at `corner` of `level` -> pixels of the `height` x `width` picture."""
    return (points + points.new_tensor(corner)) * points.new_tensor((width / level.width, height / level.height))


def overlaps(boxes: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (N, 2, 2) against one (2, 2): the shared area by the union, and by the smaller of both; each (N,)."""
    shared = (torch.minimum(boxes[:, 1], box[1]) - torch.maximum(boxes[:, 0], box[0])).clamp(min=0).prod(1)
    areas, area = (boxes[:, 1] - boxes[:, 0]).clamp(min=0).prod(1), (box[1] - box[0]).clamp(min=0).prod()
    smaller = torch.minimum(areas, area).clamp(min=1e-9)
    return shared / (areas + area - shared).clamp(min=1e-9), shared / smaller


def groups(boxes: Tensor, scores: Tensor) -> list[Tensor]:
    """Boxes (N, 2, 2) and scores (N,) -> the indices of each face's boxes, best first within and between groups."""
    left, found = scores.argsort(descending=True, stable=True), []
    while len(left):
        union, inside = overlaps(boxes[left], boxes[left[0]])
        same = (union > SAME_UNION) | (inside > SAME_INSIDE)
        same[0] = True
        found.append(left[same])
        left = left[~same]
    return found


def merge(points: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Detections (N, 8, 2) (box corners first) and scores (N,) -> one for each face, (M, 8, 2) and (M,).

    BlazeFace's blending: boxes that agree with the best one are averaged by score, which steadies the result; those
    that merely lie inside it are dropped.
    """
    faces = groups(points[:, :2], scores)
    if not faces:
        return points, scores
    return torch.stack([_blend(points[g], scores[g]) for g in faces]), scores[torch.stack([g[0] for g in faces])]


def _blend(points: Tensor, scores: Tensor) -> Tensor:
    close = overlaps(points[:, :2], points[0, :2])[0] > SAME_UNION
    close[0] = True
    weights = scores[close, None, None]
    return (points[close] * weights).sum(0) / weights.sum()
