"""Which two photographs make a triplet: of different people who look the same way, both with open or closed lips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator

# Degrees between two heads' yaw and pitch up to which a warped face is whole.
_APART = 12.0
# Most difference of the gap between the lips, in widths of the mouth: a warp cannot open a mouth.
_LIPS = 0.12
# Partners that are tried for a photograph before it is passed over.
_TRIES = 300


@dataclass(frozen=True)
class Pose:
    """`person`: whose photograph it is. `yaw`, `pitch`: degrees. `lips`: gap between them, in widths of the mouth."""

    person: str
    yaw: float
    pitch: float
    lips: float = 0.0

    def suits(self, other: Pose) -> bool:
        apart = max(abs(self.yaw - other.yaw), abs(self.pitch - other.pitch))
        return self.person != other.person and apart <= _APART and abs(self.lips - other.lips) <= _LIPS


def choose_pairs(poses: Sequence[Pose], count: int, seed: int) -> list[tuple[int, int]]:
    """`count` different pairs of photographs, by number, or as many as there are; the same for the same seed.

    Every photograph is in as many pairs as the others, as far as they suit.
    """
    random = Generator().manual_seed(seed)
    pairs: list[tuple[int, int]] = []
    taken: set[tuple[int, int]] = set()
    while len(pairs) < count:
        before = len(pairs)
        for first in torch.randperm(len(poses), generator=random).tolist():
            second = _partner(poses, first, taken, random)
            if second is not None and len(pairs) < count:
                taken |= {(first, second), (second, first)}
                pairs.append((first, second))
        if len(pairs) == before:
            break
    return pairs


def _partner(
    poses: Sequence[Pose], first: int, taken: set[tuple[int, int]], random: Generator
) -> int | None:  # fmt: skip
    for second in torch.randint(len(poses), (_TRIES,), generator=random).tolist():
        if (first, second) not in taken and poses[first].suits(poses[second]):
            return second
    return None
