"""Shards of triplets -> batches without end, in the mixture that ReliableSwap is trained with."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from ..core.order import Order
from ..shards.classes import HAIR, LOWER_LIP, TEETH
from ..triplets.synthesis import TRIPLETS
from .losses import CYCLE, DIFFERENT, NAIVE, SAME, Batch

_PICTURES = ("c_a", "c_b", "c_ab", "c_ba")


@dataclass(frozen=True)
class Mixture:
    """Of which kinds batches are, as published for FaceShifter.

    `triplets`: share of batches of triplets. `same`: share of the others in which both are one photograph.
    `naive`: whether triplets whose answer was made by a program are used too.
    """

    triplets: float = 0.21
    same: float = 0.2
    naive: bool = False


class Samples:
    """Batches without end; the same for the same seed, also from a state that was kept."""

    def __init__(self, shards: Sequence[Path], batch: int, seed: int, mixture: Mixture) -> None:
        """Raises ValueError without shards."""
        if not shards:
            raise ValueError("there are no shards; make some with: face-part-fusion triplets FOLDER -o SHARDS")
        self.shards, self.batch, self.seed, self.mixture = sorted(shards), batch, seed, mixture
        self._random = Generator().manual_seed(seed)
        self._order, self._inside = Order(self._random), Order(self._random)
        self._shard, self._pairs = -1, list[dict[str, bytes]]()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """Raises ValueError for a shard that is missing, damaged or of another kind."""
        some = [self._pair() for _ in range(self.batch)]
        kinds = self._kinds(self._random)
        return _stacked([_sample(pair, kind, self._random) for pair, kind in zip(some, kinds, strict=True)])

    def state_dict(self) -> dict[str, Any]:
        return {"order": self._order.state_dict(), "inside": self._inside.state_dict(), "shard": self._shard}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._shard = state["shard"]
        self._pairs = _read(self.shards[self._shard]) if self._shard >= 0 else []
        self._order.load_state_dict(state["order"])
        self._inside.load_state_dict(state["inside"])

    def _kinds(self, random: Generator) -> list[int]:
        """One for each sample: either all are of triplets, or all are the same, or all are different."""
        triplet, same = torch.rand(2, generator=random).tolist()
        if triplet < self.mixture.triplets:
            kinds = (*NAIVE, *CYCLE) if self.mixture.naive else CYCLE
            return [kinds[i] for i in torch.randint(len(kinds), (self.batch,), generator=random).tolist()]
        return [SAME if same < self.mixture.same else DIFFERENT] * self.batch

    def _pair(self) -> dict[str, Tensor]:
        if self._inside.over:
            self._shard = self._order.take(len(self.shards), 1)[0]
            self._pairs = _read(self.shards[self._shard])
        (at,) = self._inside.take(len(self._pairs), 1)
        try:
            return {name: _tensor(content) for name, content in self._pairs[at].items()}
        except (OSError, SyntaxError) as problem:
            raise ValueError(f"a picture in {self.shards[self._shard]} is damaged: {problem}") from problem


def _read(shard: Path) -> list[dict[str, bytes]]:
    """The files of each pair, without key and ending, still compressed."""
    pairs: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(shard) as tar:
            for member in tar:
                key, name, ending = (*member.name.split("."), "")[:3]
                file = tar.extractfile(member)
                if file is not None and ending:
                    pairs.setdefault(key, {})[name] = file.read()
    except (OSError, tarfile.TarError) as problem:
        raise ValueError(
            f"{shard} is missing or damaged ({problem}); run face-part-fusion triplets again to make it anew"
        ) from problem
    needed = {*_PICTURES, "c_a_classes", "c_b_classes"}
    if not pairs or any(not needed <= pair.keys() for pair in pairs.values()):
        raise ValueError(f"{shard} is not a shard of face-part-fusion triplets; needed are {', '.join(sorted(needed))}")
    return list(pairs.values())


def _tensor(content: bytes) -> Tensor:
    """A picture -> (3, S, S) float32, -1..1; a map of classes -> (S, S) uint8."""
    pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(content))))
    return pixels if pixels.ndim == 2 else pixels.movedim(-1, 0).float() / 127.5 - 1


def _sample(pair: dict[str, Tensor], kind: int, random: Generator) -> Batch:
    """One sample of that kind; either of the pair's people is the target."""
    if kind in (DIFFERENT, SAME):
        first = bool(torch.rand((), generator=random) < 0.5)
        target, other = ("c_a", "c_b") if first else ("c_b", "c_a")
        source, reference = (target if kind == SAME else other), target
    else:
        target, source, reference = next(triplet[2:] for triplet in TRIPLETS if triplet[1] == kind)
    # c_ab is a's photograph with another face: hair and mouth lie where they lie in a's.
    hair = pair[f"{target[:3]}_classes"] == HAIR
    classes = pair[f"{reference[:3]}_classes"]
    mouth = (classes >= TEETH) & (classes <= LOWER_LIP)
    maps = (hair[None].float(), mouth[None].float())
    return Batch(pair[target], pair[source], pair[reference], torch.tensor(kind), *maps)


def _stacked(samples: Sequence[Batch]) -> Batch:
    columns = zip(*(vars(sample).values() for sample in samples), strict=True)
    return Batch(*(torch.stack(column) for column in columns))
