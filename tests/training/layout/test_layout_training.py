"""Training the layout generator in miniature: covers, seeds, a falling loss, a run that goes on, and the comparison."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from face_part_fusion.fusion.regions.layout import BACKGROUND, BODY, FACE, HAIR, NECK, layout_of
from face_part_fusion.fusion.regions.neck import moved_neck, neck_of
from face_part_fusion.injection.hs_diffusion.layout_net import SIDE, LayoutGenerator, LayoutNet, cut
from face_part_fusion.training.layout.judge import by_rule, compare, sheet_of
from face_part_fusion.training.layout.layouts import FRAME, UNIT, Stored
from face_part_fusion.training.layout.samples import Samples, covered, extended, silhouette
from face_part_fusion.training.layout.train import Settings, loss_of, save, train
from support.drawn_people import drawn_person


def stored(**person: float) -> Stored:
    parts = drawn_person(**person)
    face = parts.faces[0][0]
    areas = layout_of(parts.pictures[0], face)
    neck = neck_of(face, areas)
    matrix = torch.cat([torch.eye(2), (FRAME / 2 * neck.unit / UNIT - neck.chin)[:, None]], 1) * UNIT / neck.unit
    return Stored(cut(areas, matrix, FRAME), moved_neck(neck, matrix))


@pytest.fixture(scope="module")
def people() -> list[Stored]:
    return [stored(neck_width=w, hair_length=h) for w, h in ((1.1, 0.0), (1.3, 2.8), (1.5, 0.0), (1.4, 3.1))]


def test_a_cover_hides_what_lies_under_it_and_the_neck_but_not_the_persons_own_head(people: list[Stored]):
    own, cover = people[0].areas, silhouette(people[1].areas)
    sample = covered(own, cover)
    inside = own.sum(0)
    assert torch.allclose(sample.known.sum(0) + sample.hidden, inside, atol=1e-5)
    assert torch.equal(sample.known[[HAIR, FACE]], own[[HAIR, FACE]]) and not sample.known[NECK].any()
    free = (cover == 0) & (own[NECK] == 0)
    assert torch.equal(sample.known[[BACKGROUND, BODY]][:, free], own[[BACKGROUND, BODY]][:, free])
    assert float(sample.hidden[(cover > 0.99) & (own[BODY] > 0.99)].min()) > 0.98


def test_the_same_seed_gives_the_same_samples(people: list[Stored]):
    first, again, other = (next(iter(Samples(people, 4, seed))) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)) and not torch.equal(first[0], other[0])
    inputs, targets, weights = first
    assert (
        inputs.shape == (4, 5, SIDE, SIDE)
        and targets.shape == (4, 3, SIDE, SIDE)
        and weights.shape == inputs[:, 0].shape
    )
    assert float(inputs.min()) >= 0 and float(inputs.sum(1).max()) < 1.02
    assert torch.allclose(targets.sum(1)[weights > 0.5], torch.ones(()), atol=1e-4)


def test_beyond_its_border_a_picture_goes_on_with_clothes_and_ground_alone(people: list[Stored]):
    own = people[1].areas
    wide, beyond = extended(own), own.sum(0) == 0
    rows = torch.nonzero((own.sum(0) > 0.99).any(1)).flatten()
    below = beyond & (torch.arange(FRAME)[:, None] > rows[-1])
    assert float(wide.sum(0)[below].min()) > 0.9 and float(wide[[HAIR, FACE, NECK]][:, below].max()) == 0
    assert torch.allclose(wide[:, own.sum(0) > 0.99], own[:, own.sum(0) > 0.99], atol=0.02)


def test_a_run_goes_on_where_it_stopped_and_its_loss_falls(people: list[Stored], tmp_path: Path):
    lines: list[str] = []
    state = tmp_path / "state.pt"
    train(people, state, Settings(samples=16, batch=4), lines.append)
    assert torch.load(state, weights_only=True)["step"] == 4
    net = train(people, state, Settings(samples=120, batch=4, keep=0.8), lines.append)
    assert torch.load(state, weights_only=True)["step"] == 30
    batch = next(iter(Samples(people, 4, 99)))
    torch.manual_seed(0)
    with torch.no_grad():
        assert float(loss_of(net, *batch)) < 0.6 * float(loss_of(LayoutNet(), *batch))
    save(net, tmp_path / "layout_generator.safetensors")
    assert (tmp_path / "layout_generator.safetensors").stat().st_size < 2e6
    figures = compare(people, {"rule": by_rule, "truth": lambda person, *_: person.areas})
    assert figures["truth"]["mean"] == 1 and 0 < figures["rule"]["mean"] < 1
    assert LayoutGenerator(folder=tmp_path).net.classes.weight.dtype == torch.float32


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(people: list[Stored], tmp_path: Path):
    whole = train(people, tmp_path / "whole.pt", Settings(samples=28, batch=3), lambda _: None)
    # In the middle of a pass over four people.
    train(people, tmp_path / "cut.pt", Settings(samples=28, batch=3), lambda _: None, stop=4)
    again = train(people, tmp_path / "cut.pt", Settings(samples=28, batch=3), lambda _: None)
    pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_sheet_shows_what_is_hidden_what_is_made_of_it_and_what_is_right(people: list[Stored]):
    sheet = sheet_of(LayoutNet(), people[:3])
    assert sheet.shape == (3 * SIDE, 3 * SIDE, 3) and 0 <= float(sheet.min()) and float(sheet.max()) <= 1.001
    given, made, right = sheet.split(SIDE)
    assert not torch.equal(given, made) and not torch.equal(made, right)


def test_a_batch_larger_than_the_set_is_refused(people: list[Stored], tmp_path: Path):
    with pytest.raises(ValueError, match="batch of 5 cannot be taken from a set of 4"):
        next(Samples(people, 5, 0))
