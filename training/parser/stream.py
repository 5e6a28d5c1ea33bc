"""Samples made without end by worker processes, that go on exactly where they were left off."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

Pair = tuple[Tensor, Tensor]
# A generator's place as 32-bit words: state and increment of 128 bits each, and half a number that is left over.
_WORDS, _BITS = 4, 32


class Endless(ABC):
    """Pairs of pictures and truths; `names` in an order of its own in each pass. The same for the same seed."""

    def __init__(self, names: Sequence[str], seed: int) -> None:
        self.names, self.seed = list(names), seed

    @abstractmethod
    def one(self, number: int, rng: Generator) -> Pair:
        """The sample of the name of that number."""

    def __iter__(self) -> Iterator[Pair]:
        return (pair for pair, _ in self.placed(0, None))

    def placed(self, worker: int, place: Tensor | None) -> Iterator[tuple[Pair, Tensor]]:
        """Pairs of one of several workers, each with the place after it; `place`: where to go on, None to begin."""
        rng = np.random.default_rng((self.seed, worker))
        at = 0
        if place is not None:
            *words, at = place.tolist()
            _set(rng, words[: len(words) // 2])
        while True:
            before = _words(rng)
            order = rng.permutation(len(self.names))
            if place is not None:
                _set(rng, words[len(words) // 2 :])
                place = None
            for i in range(at, len(order)):
                pair = self.one(int(order[i]), rng)
                yield pair, torch.tensor([*before, *_words(rng), i + 1])
            at = 0


class _Placed(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """`first`: number of the worker whose batch is the next, which is the loader's first."""

    def __init__(self, samples: Endless, workers: int, first: int, places: dict[int, Tensor]) -> None:
        self.samples, self.workers, self.first, self.places = samples, workers, first, places

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        info = get_worker_info()
        worker = (self.first + (info.id if info else 0)) % self.workers
        for (picture, truth), place in self.samples.placed(worker, self.places.get(worker)):
            yield picture, truth, place


class Loader:
    """Batches of pictures and truths, made by `workers` processes, or by this one for 0."""

    def __init__(self, samples: Endless, batch: int, workers: int, pinned: bool) -> None:
        self._samples, self._batch, self._workers, self._pinned = samples, batch, workers, pinned
        self._places: dict[int, Tensor] = {}
        self._count = 0
        self._batches: Iterator[Any] | None = None

    def __next__(self) -> Pair:
        if self._batches is None:
            data = _Placed(self._samples, self._all, self._count % self._all, dict(self._places))
            # A generator of its own: workers' seeds are not drawn from the training's.
            self._batches = iter(DataLoader(
                data, self._batch, num_workers=self._workers, pin_memory=self._pinned, generator=torch.Generator(),
            ))  # fmt: skip
        pictures, truths, places = next(self._batches)
        self._places[self._count % self._all] = places[-1].clone()
        self._count += 1
        return pictures, truths

    def state_dict(self) -> dict[str, Any]:
        return {"workers": self._all, "count": self._count, "places": dict(self._places)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """With another number of workers other samples come, from a seed of their own."""
        self._batches, self._count = None, state["count"]
        self._places = state["places"] if state["workers"] == self._all else {}
        if state["workers"] != self._all:
            self._samples.seed += self._count

    @property
    def _all(self) -> int:
        return max(1, self._workers)


def _words(rng: Generator) -> list[int]:
    state: Any = rng.bit_generator.state
    numbers = state["state"]["state"], state["state"]["inc"]
    words = [number >> (_BITS * i) & 0xFFFFFFFF for number in numbers for i in range(_WORDS)]
    return [*words, state["has_uint32"], state["uinteger"]]


def _set(rng: Generator, words: list[int]) -> None:
    numbers = [sum(words[first + i] << (_BITS * i) for i in range(_WORDS)) for first in (0, _WORDS)]
    rng.bit_generator.state = {
        "bit_generator": "PCG64", "state": {"state": numbers[0], "inc": numbers[1]}, "has_uint32": words[-2],
        "uinteger": words[-1],
    }  # fmt: skip
