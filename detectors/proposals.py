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
# Proposals that score less are ignored, whatever the threshold; so are those beyond this number in one picture.
LEAST_SCORE, MOST_PROPOSALS = 0.05, 1000
# The score at which a known box counts as a proposal.
KNOWN_BOX_SCORE = 0.5

# Called with the number of windows just searched.
Searched = Callable[[int], None]


class Proposals(NamedTuple):
    """Proposals in one picture: points (N, 8, 2) in pixels, the box's two corners first, and scores (N,) in 0..1."""

    points: Tensor
    scores: Tensor


class Pass(NamedTuple):
    """One net, the strides of its anchors, and the levels that it searches."""

    net: ShortRange | FullRange
    strides: Strides
    levels: tuple[tiles.Level, ...]


def search(
    short: ShortRange, full: FullRange, scaled: tiles.Pyramid, levels: tuple[tiles.Level, ...], near: tiles.Level,
    least: float, searched: Searched | None = None,
) -> list[Proposals]:  # fmt: skip
    """Search every picture of `scaled`: `levels` with the full-range net, `near` with the short-range net.

    Returns the proposals of each picture that score at least `least`, one for each face.
    """
    (height, width), pictures = next(iter(scaled.items()))
    by_picture: list[list[Proposals]] = [[] for _ in range(len(pictures))]
    for one_pass in (Pass(full, FULL_STRIDES, levels), Pass(short, SHORT_STRIDES, (near,))):
        for picture, proposals in _run(one_pass, scaled, (height, width), least, searched):
            by_picture[picture].append(proposals)
    return [_merged(proposals) for proposals in by_picture]


def in_box(short: ShortRange, picture: Tensor, box: Box) -> Proposals:
    """The box itself in a picture (3, H, W), then what the short-range net sees in it, turned by each quarter."""
    low, high = torch.tensor(box, dtype=torch.float32).view(2, 2)
    middle, side = (low + high) / 2, crops.MARGIN * float((high - low).max().clamp(min=1))
    squares = torch.tensor([[*middle.tolist(), side, quarter * math.pi / 2] for quarter in range(4)])
    turned = torch.stack([crops.crop(picture, square, SHORT_SIZE) for square in squares])
    raw, logits = (t.cpu() for t in short(turned * 2 - 1))
    best, all_sides = logits.argmax(1), torch.arange(4)
    points = decode(raw[all_sides, best], anchors(SHORT_SIZE, SHORT_SIZE, SHORT_STRIDES)[best])
    points = crops.to_picture(points, squares, SHORT_SIZE)
    points[:, :2] = torch.stack((points[:, :2].amin(1), points[:, :2].amax(1)), 1)
    inside = ((points[:, :2].mean(1) - middle).abs() < (high - low) / 2).all(1)
    itself = torch.stack((low, high, low, torch.stack((high[0], low[1])), *[middle] * 4))
    scores = torch.sigmoid(logits[all_sides, best])[inside]
    scores = torch.cat((scores.new_tensor([KNOWN_BOX_SCORE]), scores))
    return Proposals(torch.cat((itself[None], points[inside])), scores)


def _run(
    one_pass: Pass, scaled: tiles.Pyramid, size: tuple[int, int], least: float, searched: Searched | None
) -> Iterator[tuple[int, Proposals]]:
    """Run one net over its windows in batches; yields number of the picture and proposals. `size`: H, W in pixels."""
    likely = min(max(least, LEAST_SCORE), 1 - 1e-6)
    for level in one_pass.levels:
        pictures, (tall, wide) = scaled[level.height, level.width], level.window
        centres, together = anchors(tall, wide, one_pass.strides), max(BATCH_PIXELS // (tall * wide), 1)
        jobs = [(i, corner) for i in range(len(pictures)) for corner in level.corners]
        for start in range(0, len(jobs), together):
            batch = jobs[start : start + together]
            windows = pictures.new_empty((len(batch), 3, tall, wide)).to(memory_format=torch.channels_last)
            for window, (i, corner) in zip(windows, batch, strict=True):
                tiles.cut(pictures[i], corner, window)
            raw = one_pass.net.proposals(windows, math.log(likely / (1 - likely)))
            boxes, logits, numbers, anchor = (t.cpu() for t in raw)
            points, scores = decode(boxes, centres[anchor]), torch.sigmoid(logits)
            for n in numbers.unique().tolist():
                own, (i, corner) = numbers == n, batch[n]
                yield i, Proposals(tiles.to_picture(points[own], level, corner, *size), scores[own])
            if searched is not None:
                searched(len(batch))


def _merged(proposals: Sequence[Proposals]) -> Proposals:
    """One proposal for each face, out of the MOST_PROPOSALS best."""
    points = torch.cat([torch.zeros(0, 8, 2), *(p.points for p in proposals)])
    scores = torch.cat([torch.zeros(0), *(p.scores for p in proposals)])
    scores, best = scores.topk(min(len(scores), MOST_PROPOSALS))
    return Proposals(*tiles.merge(points[best], scores))
