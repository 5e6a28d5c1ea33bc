"""Samples of worker processes go on exactly where they were left off."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.training.parser.stream import Endless, Loader
from numpy.random import Generator
from torch import Tensor


class Draws(Endless):
    """What each sample is, and a random number; every other draws half a word, which the generator keeps."""

    def one(self, number: int, rng: Generator) -> tuple[Tensor, Tensor]:
        rng.integers(7, dtype="uint32")
        return torch.tensor([number]), torch.tensor([rng.random()])


def batches(loader: Loader, count: int) -> list[list[float]]:
    return [torch.cat([each.double() for each in next(loader)], 1).flatten().tolist() for _ in range(count)]


def new(workers: int) -> Loader:
    return Loader(Draws("abcde", 3), 3, workers, False)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_goes_on_where_it_was(workers: int):
    first = new(workers)
    before = batches(first, 3)
    state = first.state_dict()
    after = batches(first, 4)
    again = new(workers)
    again.load_state_dict(state)
    assert batches(again, 4) == after and after[0] not in before


def test_samples_are_those_of_the_set_in_passes_and_of_the_seed():
    pairs = iter(Draws("abcde", 3))
    numbers = [int(next(pairs)[0]) for _ in range(10)]
    assert sorted(numbers[:5]) == sorted(numbers[5:]) == list(range(5)) and numbers[:5] != numbers[5:]
    assert batches(new(0), 2) == batches(new(1), 2) != batches(Loader(Draws("abcde", 4), 3, 0, False), 2)


def test_with_another_number_of_workers_other_samples_come():
    first = new(0)
    seen = batches(first, 3)
    other = new(2)
    other.load_state_dict(first.state_dict())
    assert not any(batch in seen for batch in batches(other, 3))
