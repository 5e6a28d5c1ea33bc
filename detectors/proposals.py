"""Where faces may be: BlazeFace over the windows of pictures, or inside a box that is known to hold a face."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import crops, tiles
from .blazeface import (
    FULL_SIZE,
    FULL_STRIDES,
    SHORT_SIZE,
    SHORT_STRIDES,
    FullRange,
    ShortRange,
    Strides,
    anchors,
    decode,
)
from .boxes import Box

# Pixels of the windows that go through a net together: 16 squares of the full-range net.
BATCH_PIXELS = 16 * FULL_SIZE**2
# Squares that go through the short-range net together.
SQUARES = 16
# Proposals that score less are ignored, whatever the threshold; so are those beyond this number in one picture.
LEAST_SCORE, MOST_PROPOSALS = 0.05, 1000
# The least score of a proposal inside a larger one that may be a face of its own.
NESTED = 0.4
# The score at which a known box counts as a proposal.
KNOWN_BOX_SCORE = 0.5

# Called with the number of windows just searched.
Searched = Callable[[int], None]


class Proposals(NamedTuple):
    """Proposals in one picture: points (N, 8, 2) in pixels, the box's two corners first, and scores (N,) in 0..1."""

    points: Tensor
    scores: Tensor


class Pass(NamedTuple):
    """One net, the strides of its anchors, the levels that it searches, and the turns of their windows.

    `quarters`: a window is turned counter-clockwise by each number of quarters; windows that are turned are square.
    """

    net: ShortRange | FullRange
    strides: Strides
    levels: tuple[tiles.Level, ...]
    quarters: tuple[int, ...] = (0,)


def search(
    short: ShortRange, full: FullRange, scaled: tiles.Pyramid, levels: tuple[tiles.Level, ...], near: tiles.Level,
    least: float, searched: Searched | None = None,
) -> list[Proposals]:  # fmt: skip
    """Search every picture of `scaled`: `levels` with the full-range net, `near` with the short-range net.

    Returns the proposals of each picture that score at least `least`, one for each face.
    """
    passes = Pass(full, FULL_STRIDES, levels), Pass(short, SHORT_STRIDES, (near,))
    return [_merged(quarters[0]) for quarters in _run_all(passes, scaled, least, searched)]


def search_turned(
    short: ShortRange, full: FullRange, scaled: tiles.Pyramid, far: tiles.Level, bordered: tiles.Level, least: float
) -> list[Proposals]:
    """Search every picture of `scaled` on its sides and upside down.

    `far`: the whole picture, for the full-range net.
    `bordered`: the whole picture with a border, for the short-range net, which searches it upright too.

    Returns the proposals of each picture that score at least `least`, one for each face and turn.
    """
    passes = Pass(full, FULL_STRIDES, (far,), (1, 2, 3)), Pass(short, SHORT_STRIDES, (bordered,), (0, 1, 2, 3))
    return [_joined([_merged(own) for own in quarters]) for quarters in _run_all(passes, scaled, least)]


def in_box(short: ShortRange, picture: Tensor, box: Box) -> Proposals:
    """The box itself in a picture (3, H, W), then what the short-range net sees in it, turned by each quarter."""
    low, high = torch.tensor(box, dtype=torch.float32).view(2, 2)
    middle, side = (low + high) / 2, crops.MARGIN * float((high - low).max().clamp(min=1))
    squares = torch.tensor([[*middle.tolist(), side, quarter * math.pi / 2] for quarter in range(4)])
    turned = torch.stack([crops.crop(picture, square, SHORT_SIZE) for square in squares])
    raw, logits = (t.cpu() for t in short(turned * 2 - 1))
    best, all_sides = logits.argmax(1), torch.arange(4)
    points = decode(raw[all_sides, best], anchors(SHORT_SIZE, SHORT_SIZE, SHORT_STRIDES)[best])
    points = _sorted_corners(crops.to_picture(points, squares, SHORT_SIZE))
    inside = ((points[:, :2].mean(1) - middle).abs() < (high - low) / 2).all(1)
    itself = torch.stack((low, high, low, torch.stack((high[0], low[1])), *[middle] * 4))
    scores = torch.sigmoid(logits[all_sides, best])[inside]
    scores = torch.cat((scores.new_tensor([KNOWN_BOX_SCORE]), scores))
    return Proposals(torch.cat((itself[None], points[inside])), scores)


def close_scores(
    short: ShortRange, scaled: tiles.Pyramid, owners: Tensor, squares: Tensor, quarters: Sequence[int]
) -> Tensor:
    """The best score (N,) of the short-range net in each square (N, 4), turned by any of the `quarters`.

    `owners`: (N,), the number of each square's picture.
    """
    turns = squares.new_tensor([(0, 0, 0, quarter * math.pi / 2) for quarter in quarters])
    turned = (squares[:, None] + turns).flatten(0, 1)
    pictures = owners.repeat_interleave(len(quarters)).tolist()
    faces = [tiles.crop(scaled, i, square, SHORT_SIZE) for i, square in zip(pictures, turned, strict=True)]
    batches = (torch.stack(faces[i : i + SQUARES]) * 2 - 1 for i in range(0, len(faces), SQUARES))
    logits = [short(batch.contiguous(memory_format=torch.channels_last))[1].amax(1).cpu() for batch in batches]
    return torch.sigmoid(torch.cat(logits)).unflatten(0, (len(squares), len(quarters))).amax(1)


def _run_all(
    passes: Sequence[Pass], scaled: tiles.Pyramid, least: float, searched: Searched | None = None
) -> list[list[list[Proposals]]]:
    """The proposals of each picture, for each of the four turns of its windows."""
    size, pictures = next(iter(scaled.items()))
    by_picture: list[list[list[Proposals]]] = [[[] for _ in range(4)] for _ in range(len(pictures))]
    for one_pass in passes:
        for picture, quarter, proposals in _run(one_pass, scaled, size, least, searched):
            by_picture[picture][quarter].append(proposals)
    return by_picture


def _run(
    one_pass: Pass, scaled: tiles.Pyramid, size: tuple[int, int], least: float, searched: Searched | None
) -> Iterator[tuple[int, int, Proposals]]:
    """Run one net over its windows in batches; yields number of the picture, quarters and proposals.

    `size`: H, W in pixels.
    """
    likely = min(max(least, LEAST_SCORE), 1 - 1e-6)
    for level in one_pass.levels:
        pictures, (tall, wide) = scaled[level.height, level.width], level.window
        centres, together = anchors(tall, wide, one_pass.strides), max(BATCH_PIXELS // (tall * wide), 1)
        jobs = [(i, corner, q) for i in range(len(pictures)) for corner in level.corners for q in one_pass.quarters]
        for start in range(0, len(jobs), together):
            batch = jobs[start : start + together]
            windows = pictures.new_empty((len(batch), 3, tall, wide)).to(memory_format=torch.channels_last)
            for window, (i, corner, quarter) in zip(windows, batch, strict=True):
                tiles.cut(pictures[i], corner, window)
                if quarter:
                    window.copy_(window.rot90(quarter, (1, 2)))
            raw = one_pass.net.proposals(windows, math.log(likely / (1 - likely)))
            boxes, logits, numbers, anchor = (t.cpu() for t in raw)
            points, scores = decode(boxes, centres[anchor]), torch.sigmoid(logits)
            for n in numbers.unique().tolist():
                own, (i, corner, quarter) = numbers == n, batch[n]
                upright = _turned_back(points[own], quarter, tall)
                yield i, quarter, Proposals(tiles.to_picture(upright, level, corner, *size), scores[own])
            if searched is not None:
                searched(len(batch))


def _turned_back(points: Tensor, quarter: int, side: int) -> Tensor:
    """Points (N, 8, 2) of a square window that was turned by `quarter` -> points of the window before the turn."""
    if quarter == 0:
        return points
    angle = points.new_full((len(points),), quarter * math.pi / 2)
    return _sorted_corners(crops.turn(points - side / 2, angle) + side / 2)


def _sorted_corners(points: Tensor) -> Tensor:
    """Points (N, 8, 2) whose box is spanned by any two opposite corners -> the same with its top left corner first."""
    return torch.cat((points[:, :2].amin(1, keepdim=True), points[:, :2].amax(1, keepdim=True), points[:, 2:]), 1)


def _joined(proposals: Sequence[Proposals]) -> Proposals:
    points = torch.cat([torch.zeros(0, 8, 2), *(p.points for p in proposals)])
    return Proposals(points, torch.cat([torch.zeros(0), *(p.scores for p in proposals)]))


def _merged(proposals: Sequence[Proposals]) -> Proposals:
    """One proposal for each face, out of the MOST_PROPOSALS best."""
    points, scores = _joined(proposals)
    scores, best = scores.topk(min(len(scores), MOST_PROPOSALS))
    return Proposals(*tiles.merge(points[best], scores, NESTED))
