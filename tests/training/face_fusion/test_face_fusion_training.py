"""Face Fusion in miniature: how pairs are drawn, how pictures are judged, and that training falls and resumes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from face_part_fusion.training.face_fusion.judge import (
    ANOTHER,
    FREE_ONE,
    FREE_TWO,
    NOBODY,
    ONE,
    TWO,
    figures,
    interval,
    trials,
)
from face_part_fusion.training.face_fusion.noise import levels
from face_part_fusion.training.face_fusion.people import People, people_of
from face_part_fusion.training.face_fusion.photographs import by_person, held_out
from face_part_fusion.training.face_fusion.train import Settings, loss_of, train
from torch import Tensor

NAMES = ("gov_1", "person_000_1", "person_000_2", "person_000_3", "person_001_1", "person_001_2", "person_002_1")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbered() -> People:
    """Of each photograph every value is its number, of a mirror image its negative."""
    latents = {
        name: torch.tensor([1.0, -1.0])[:, None, None, None].expand(2, 4, 8, 8) * (i + 1)
        for i, name in enumerate(NAMES)
    }
    return people_of(latents, by_person(NAMES))


def test_photographs_of_one_person_go_together():
    people = by_person(NAMES)
    assert people == {
        "gov_1": ["gov_1"], "person_000": ["person_000_1", "person_000_2", "person_000_3"],
        "person_001": ["person_001_1", "person_001_2"], "person_002": ["person_002_1"],
    }  # fmt: skip
    assert held_out(people) == {"person_000"}
    assert numbered().several == ((1, 2, 3), (4, 5)) and numbered().single == (0, 6)


@pytest.mark.parametrize("count", [1, 2])
def test_references_are_other_photographs_of_the_same_person(count: int):
    people = numbered()
    pictures, references = people.draw(200, count, 0.0, torch.Generator().manual_seed(1))
    assert references is not None and references.shape == (200, count, 4, 8, 8)
    own, others = pictures[:, 0, 0, 0], references[:, :, 0, 0, 0]
    group = {1: {2, 3, 4}, 2: {5, 6}}
    person = {number: key for key, numbers in group.items() for number in numbers}
    for picture, looked_at in zip(own.tolist(), others.tolist(), strict=True):
        for reference in looked_at:
            assert person[abs(int(picture))] == person[abs(int(reference))]
            assert abs(picture) != abs(reference) and picture * reference > 0
    assert {abs(int(n)) for n in own.tolist()} == {2, 3, 4, 5, 6}


def test_the_reference_of_an_only_photograph_is_its_mirror_image():
    pictures, references = numbered().draw(50, 1, 1.0, torch.Generator().manual_seed(1))
    assert references is not None and torch.equal(references[:, 0], -pictures)
    assert set(pictures[:, 0, 0, 0].abs().tolist()) == {1.0, 7.0}


def test_noise_levels_are_those_of_sd15():
    a, s = levels()
    assert torch.allclose(a**2 + s**2, torch.ones(1000))
    assert float(s[0] / a[0]) == pytest.approx(0.0292, abs=1e-4)
    assert float(s[-1] / a[-1]) == pytest.approx(14.6146, abs=1e-3)


def test_a_photograph_is_compared_with_pictures_of_the_other_two():
    crops, latents = ({name: torch.full(shape, i + 1.0) for i, name in enumerate("abcdef")}
                      for shape in ((2, 8, 8), (2, 4, 1, 1)))  # fmt: skip
    judged = trials(crops, latents, [("a", "b", "c"), ("d", "e", "f")])
    compared = judged.photographs[:, 0, 0].tolist()
    references = judged.latents[:, :, 0, 0, 0].tolist()
    assert compared == [1, 2, 3, 4, 5, 6] and judged.people.tolist() == [0, 0, 0, 1, 1, 1]
    assert references == [[2, 3], [3, 1], [1, 2], [5, 6], [6, 4], [4, 5]]


def test_an_interval_holds_the_mean_and_is_that_of_people():
    people = torch.arange(40).repeat_interleave(3)
    values = draw(40, seed=1).repeat_interleave(3)
    low, high = interval(values, people)
    assert low < float(values.mean()) < high
    # As wide as that of 40 values, not of 120.
    assert (high - low) / 2 == pytest.approx(1.96 * float(draw(40, seed=1).std()) / 40**0.5, rel=0.15)


def test_figures_say_how_many_are_nearer():
    people = torch.tensor([0, 0, 1, 1])
    cosines = {name: torch.zeros(4) for name in (NOBODY, ONE, TWO, ANOTHER, FREE_ONE, FREE_TWO)}
    cosines[ONE] = torch.tensor([0.2, 0.4, -0.1, 0.3])
    lines = figures(cosines, people)
    assert lines[0].startswith("4 pictures of 2 people")
    assert any(line.startswith("one: mean 0.200") and line.endswith("75.0%") for line in lines)
    assert any(line.startswith("two - one: -0.200") and line.endswith("25.0%") for line in lines)


@pytest.mark.slow
def test_the_loss_falls_and_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path):
    pytest.importorskip("diffusers")
    people, settings = drawn_people(), Settings(steps=60, batch=8, rate=3e-3, width=16, keep=0.9)
    whole = train(people, tmp_path / "whole.pt", settings, lambda _: None)
    train(people, tmp_path / "cut.pt", settings, lambda _: None, stop=25)
    resumed = train(people, tmp_path / "cut.pt", settings, lambda _: None)
    for (name, value), other in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    fresh = train(people, tmp_path / "fresh.pt", settings, lambda _: None, stop=0)
    with torch.no_grad():
        before, after = (
            sum(float(loss_of(net, people, settings, 1000 + i)) for i in range(8)) for net in (fresh, whole)
        )
    assert after < 0.75 * before, (before, after)


def drawn_people() -> People:
    """Each of a colour of their own, and every photograph with noise of its own."""
    latents = {
        f"person_{p:03}_{k}": draw(4, 1, 1, seed=p) + 0.1 * draw(2, 4, 8, 8, seed=100 * p + k)
        for p in range(12)
        for k in (1, 2, 3)
    }
    return people_of(latents, by_person(list(latents)))
