"""Training FixerNet in miniature: whose photographs, the margin, a run that goes on, and the judge."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from face_part_fusion.injection.faces.fixer_net import SIDE, WIDTH, lower_quarter
from face_part_fusion.injection.faces.iresnet import DEPTHS, FaceVectorNet
from face_part_fusion.training.reliable_swap.fixer import MarginSoftmax, Settings, train_fixer
from face_part_fusion.training.reliable_swap.judge import by_pixels, held_out, likeness
from face_part_fusion.training.reliable_swap.people import People, batches, load, lower_faces, person_of, prepare
from torch import Generator, nn
from torch.nn import functional


@pytest.fixture
def people() -> People:
    """Four people of three photographs each, who differ in their colours."""
    random = Generator().manual_seed(0)
    own = torch.rand(4, 7, 7, 3, generator=random).repeat_interleave(3, 0).movedim(-1, 1)
    faces = functional.interpolate(own, (112, 112)).movedim(1, -1) * 230
    noise = torch.rand(12, 112, 112, 3, generator=random) * 25
    return People((faces + noise).to(torch.uint8), torch.arange(4).repeat_interleave(3), ("ann", "ben", "cyd", "dan"))


def test_a_lower_face_is_the_quarter_that_the_network_sees(people):
    faces = people.faces.movedim(-1, 1).float() / 127.5 - 1
    assert torch.equal(lower_faces(people.faces), lower_quarter(faces))
    moved = lower_faces(people.faces, (2, 3))
    assert torch.equal(moved[..., :-3, :-2], lower_quarter(faces)[..., 3:, 2:])


def test_a_person_is_a_folder_or_the_name_before_the_last_underscore():
    root = Path("photos")
    names = {"ann/1.jpg": "ann", "set/ben/x_1.png": "set/ben", "cyd_smith_2.jpg": "cyd_smith", "dan.jpg": "dan"}
    assert {name: person_of(root / name, root) for name in names} == names


def test_people_keep_their_photographs_when_some_are_held_out(people):
    judges = held_out(people.names, 2)
    assert judges == ("ann", "cyd")
    some = people.of(["dan", "ben"])
    assert some.names == ("dan", "ben") and some.person.tolist() == [1, 1, 1, 0, 0, 0]
    assert torch.equal(some.faces, people.faces[torch.tensor([3, 4, 5, 9, 10, 11])])


def test_an_epoch_sees_every_face_once_and_mirrors_some(people):
    plain = lower_faces(people.faces)
    pixels, person = (torch.cat(each) for each in zip(*batches(people, 5, 0, Generator().manual_seed(1)), strict=True))
    assert pixels.shape == (10, 3, SIDE, SIDE) and person.shape == (10,)
    straight = torch.stack([(plain == one).flatten(1).all(1).any() for one in pixels])
    mirrored = torch.stack([(plain.flip(-1) == one).flatten(1).all(1).any() for one in pixels])
    assert bool((straight ^ mirrored).all()) and straight.any() and mirrored.any()


def test_the_margin_widens_the_angle_to_the_right_person_alone():
    softmax = MarginSoftmax(3, 2, scale=64.0)
    softmax.centres = nn.Parameter(torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    vectors = torch.tensor([[math.cos(0.4), math.sin(0.4)]]) * 7
    for margin in (0.0, 0.5):
        logits = torch.tensor([[math.cos(0.4 + margin), math.sin(0.4), -math.cos(0.4)]]) * 64
        expected = functional.cross_entropy(logits, torch.tensor([0]))
        assert torch.allclose(softmax(vectors, torch.tensor([0]), margin), expected, atol=1e-3)
    # Beyond pi - margin the loss must go on growing.
    losses = [
        float(softmax(torch.tensor([[math.cos(angle), math.sin(angle)]]), torch.tensor([0]), 0.5).detach())
        for angle in (2.5, 2.7, 2.9, 3.1)
    ]
    assert losses == sorted(losses)


def test_a_run_goes_on_where_it_stopped_and_its_loss_falls(people, tmp_path):
    lines: list[str] = []
    settings = {"depth": "r18", "batch": 6, "rate": 0.5, "scale": 16.0, "margin": 0.1}
    state = tmp_path / "state.pt"
    train_fixer(people, state, Settings(epochs=1, **settings), lines.append)
    net = train_fixer(people, state, Settings(epochs=3, **settings), lines.append)
    assert [line.split(",")[0] for line in lines] == ["epoch 1 of 1", "epoch 2 of 3", "epoch 3 of 3"]
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    assert losses[-1] < losses[0]
    assert net(lower_faces(people.faces[:2])).shape == (2, WIDTH)
    with pytest.raises(ValueError, match="belongs to a run of depth r18 on 4 people"):
        train_fixer(people.of(["ann", "ben"]), state, Settings(epochs=3, **settings), lines.append)


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(people, tmp_path):
    settings = {"depth": "r18", "batch": 6, "scale": 16.0}
    whole = train_fixer(people, tmp_path / "a.pt", Settings(epochs=2, **settings), lambda _: None)

    def stop(line: str) -> None:
        raise InterruptedError(line)

    with pytest.raises(InterruptedError):
        train_fixer(people, tmp_path / "b.pt", Settings(epochs=2, **settings), stop)
    again = train_fixer(people, tmp_path / "b.pt", Settings(epochs=2, **settings), lambda _: None)
    pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_run_that_was_cut_off_within_an_epoch_ends_as_one_that_was_not(people, tmp_path):
    settings = Settings(epochs=2, depth="r18", batch=4, scale=16.0, shift=2)
    whole = train_fixer(people, tmp_path / "whole.pt", settings, lambda _: None)
    train_fixer(people, tmp_path / "cut.pt", settings, lambda _: None, stop=4)
    again = train_fixer(people, tmp_path / "cut.pt", settings, lambda _: None)
    pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_judge_counts_pairs_and_how_often_one_persons_are_the_more_alike(people):
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    result = likeness(vectors, torch.tensor([0, 0, 1, 1]))
    assert result.pairs == (2, 4) and result.area == 1.0 and result.same > 0.99 > 0.3 > result.other
    assert likeness(vectors, torch.tensor([0, 1, 1, 0])).area < 0.5
    assert likeness(by_pixels(people), people.person).area > 0.95


def test_photographs_are_aligned_once_and_read_back(tmp_path):
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the portrait")
    from PIL import Image

    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = data.astronaut()[:340, 60:400]
    Image.fromarray(pixels).save(photos / "ann_1.png")
    Image.fromarray(np.ascontiguousarray(pixels[:, ::-1])).save(photos / "ben_1.png")
    Image.new("RGB", (80, 80)).save(photos / "ben_2.png")
    assert prepare(photos, tmp_path / "faces.npz") == ["ben_2.png"]
    people = load(tmp_path / "faces.npz")
    assert people.names == ("ann", "ben") and people.faces.shape == (2, 112, 112, 3)
    (photos / "ben_1.png").unlink()
    with pytest.raises(ValueError, match="photographs of 1 people with a face"):
        prepare(photos, tmp_path / "faces.npz")


def test_the_network_is_the_one_that_the_swappers_read():
    assert FaceVectorNet(DEPTHS[Settings().depth], SIDE, WIDTH).fc.in_features == 512 * 4 * 4
