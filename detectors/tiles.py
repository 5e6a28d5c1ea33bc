"""The windows of a picture that the detectors search, and the merging of results that overlap.

A level is the picture at one scale, cut into overlapping windows where it is too large for one. The full-range net is
all convolutions and takes windows of any size. Compared with squares of the net's own size, one large window shows it
more of the surroundings, costs a fifth less and cuts no face in two. The net sees faces from LEAST_FACE pixels to about
its own size, so each level is at most about STEP times finer than the one before. Windows overlap by twice LEAST_FACE,
so the smallest faces are whole in one of them. A larger face on a border is seen at the coarser level, or its greater
part is seen, which is enough for the mesh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import crops

# Smallest face, in pixels, that the net sees; benchmarks/detection.py measures the recall by size.
LEAST_FACE = 16
STEP = 3.0
# Sides of a window, in pixels: multiples of the net's coarsest cell, up to a length whose maps fit into the memory.
CELL, LONGEST = 32, 640
# Boxes that share this much of their union, or of the smaller one, are the same face.
SAME_UNION = 0.3
SAME_INSIDE = 0.7


@dataclass(frozen=True)
class Level:
    """The picture resized to `height` x `width`; the size (height, width) and top left pixels (x, y) of its windows.

    A window is black where it reaches beyond the picture.
    """

    height: int
    width: int
    window: tuple[int, int]
    corners: tuple[tuple[int, int], ...]


def whole(height: int, width: int, size: int, share: float = 1.0) -> Level:
    """The whole picture centred in one square of `size` pixels; its longer side takes this share of the square's."""
    scale = share * size / max(height, width)
    h, w = max(round(height * scale), 1), max(round(width * scale), 1)
    return Level(h, w, (size, size), (((w - size) // 2, (h - size) // 2),))


def fine_levels(height: int, width: int, size: int, smallest: int) -> tuple[Level, ...]:
    """The levels finer than `whole` that faces of `smallest` pixels need; none where `whole` shows them.

    Raises ValueError when `smallest` is less than one pixel.
    """
    if smallest < 1:
        raise ValueError(f"smallest is {smallest}; a face needs at least one pixel, 32 is a good value")
    coarse, finest = size / max(height, width), min(LEAST_FACE / smallest, 1.0)
    count = max(math.ceil(math.log(finest / coarse, STEP) - 0.1), 0) if finest > coarse else 0
    scales = [coarse * (finest / coarse) ** ((i + 1) / count) for i in range(count)]
    return tuple(_tiled(max(round(height * s), 1), max(round(width * s), 1)) for s in scales)


def _tiled(height: int, width: int) -> Level:
    (tall, down), (wide, across) = _cover(height), _cover(width)
    return Level(height, width, (tall, wide), tuple((x, y) for y in down for x in across))


def _cover(length: int) -> tuple[int, list[int]]:
    """The side of the windows that cover `length`, and their evenly spread starts; the overlap is twice LEAST_FACE."""
    side = min(-(-length // CELL) * CELL, LONGEST)
    if length <= side:
        return side, [(length - side) // 2]
    count = math.ceil((length - side) / (side - 2 * LEAST_FACE)) + 1
    return side, [round(i * (length - side) / (count - 1)) for i in range(count)]


# Pictures (B, 3, H, W) by (H, W), their own size first.
Pyramid = Mapping[tuple[int, int], Tensor]


def pyramid(pictures: Tensor, sizes: Sequence[tuple[int, int]]) -> Pyramid:
    """Pictures (B, 3, H, W), and the same at each (height, width), shrunk from the next one that is twice as large.

    Where that is the pictures themselves, their shrinking begins with halves: it starts from the halves that are there.
    """
    own_size = pictures.shape[-2], pictures.shape[-1]
    scaled = {own_size: pictures}
    for height, width in sorted(sizes, reverse=True):
        large = [size for size in scaled if size[0] >= 2 * height and size[1] >= 2 * width]
        source = min(large, default=own_size)
        if source == own_size:
            source = min(size for size in crops.halves(own_size, (height, width)) if size in scaled)
        scaled[height, width] = crops.shrink(scaled[source], height, width)
    return scaled


def crop(scaled: Pyramid, number: int, square: Tensor, size: int) -> Tensor:
    """One square (4,) of picture `number` -> (3, size, size), from the smallest level that is fine enough."""
    height, width = next(iter(scaled))
    need = size / max(float(square[2]), 1e-6)
    fine = [(h, w) for h, w in scaled if h >= need * height and w >= need * width]
    level = min(fine, default=(height, width))
    across, down = level[1] / width, level[0] / height
    return crops.crop(scaled[level][number], square * square.new_tensor((across, down, (across + down) / 2, 1)), size)


def cut(picture: Tensor, corner: tuple[int, int], window: Tensor) -> None:
    """Fill `window` (3, H, W) in -1..1 with the picture (3, h, w) in 0..1 from `corner` (x, y) on; black outside."""
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
    """Boxes (N, 2, 2) against one (2, 2): shared area / union, and shared area / the smaller of both; each (N,)."""
    shared = (torch.minimum(boxes[:, 1], box[1]) - torch.maximum(boxes[:, 0], box[0])).clamp(min=0).prod(1)
    areas, area = (boxes[:, 1] - boxes[:, 0]).clamp(min=0).prod(1), (box[1] - box[0]).clamp(min=0).prod()
    smaller = torch.minimum(areas, area).clamp(min=1e-9)
    return shared / (areas + area - shared).clamp(min=1e-9), shared / smaller


def groups(boxes: Tensor, scores: Tensor, own: Tensor) -> list[Tensor]:
    """Boxes (N, 2, 2) and scores (N,) -> the indices of each face's boxes, best first within and between groups.

    `own`: (N,) bool, boxes that may be a face of their own inside of a larger one, or around a smaller one, as on a
        poster, on a screen, or of a child before an adult.
    """
    rest, faces = scores.argsort(descending=True, stable=True), []
    while len(rest):
        union, inside = overlaps(boxes[rest], boxes[rest[0]])
        same = (union > SAME_UNION) | (inside > SAME_INSIDE) & ~(own[rest] & own[rest[0]])
        same[0] = True
        faces.append(rest[same])
        rest = rest[~same]
    return faces


def merge(points: Tensor, scores: Tensor, own: float = 1.0) -> tuple[Tensor, Tensor]:
    """Detections (N, 8, 2), box corners first, and scores (N,) -> one for each face, (M, 8, 2) and (M,).

    BlazeFace's blending: boxes that agree with the best one are averaged by score, which steadies the result. Boxes
    that merely lie inside it are dropped when they score less than `own`.
    """
    faces = groups(points[:, :2], scores, scores >= own)
    if not faces:
        return points, scores
    return torch.stack([_blend(points[g], scores[g]) for g in faces]), scores[torch.stack([g[0] for g in faces])]


def _blend(points: Tensor, scores: Tensor) -> Tensor:
    close = overlaps(points[:, :2], points[0, :2])[0] > SAME_UNION
    close[0] = True
    weights = scores[close, None, None]
    return (points[close] * weights).sum(0) / weights.sum()
