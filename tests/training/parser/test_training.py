"""Training the face parser in miniature: what is drawn is labelled, seeds are fixed, and the loss falls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.parser_net import CLASSES
from face_part_fusion.training.parser import occluders, spectacles
from face_part_fusion.training.parser.labels import EYES, UNSURE, Sample
from face_part_fusion.training.parser.portraits import HATS, WEARERS, held_out
from face_part_fusion.training.parser.samples import Samples, one

NUMBER = {name: i for i, name in enumerate(CLASSES)}


def test_teachers_and_mesh_become_classes(sample: Sample) -> None:
    x, y = (int(v) for v in sample.points[1, :2])
    chin, top = int(sample.points[152, 1]), int(sample.points[10, 1])
    assert sample.labels[y, x] == NUMBER["face"] and sample.labels[top - 30, x] == NUMBER["hair"]
    assert sample.labels[chin + 25, x] == NUMBER["neck"] and sample.labels[chin + 80, x] == NUMBER["body"]
    assert sample.labels[5, 5] == NUMBER["background"]


def test_spectacles_are_labelled_where_they_are_drawn(sample: Sample) -> None:
    for seed in range(8):
        rgb = sample.rgb.astype(np.float32)
        skin = sample.labels == NUMBER["face"]
        drawn, frame, lens = spectacles.draw(rgb, sample.points, skin, np.random.default_rng(seed))
        for corners in ((33, 133), (362, 263)):
            x, y = sample.points[list(corners), :2].mean(0).astype(int)
            assert lens[y, x] > 0.9
        assert 0.005 * EYES**2 < frame.sum() < 1.5 * EYES**2
        assert np.abs(drawn - rgb)[frame > 0.9].mean() > 3


@pytest.mark.parametrize("name", ["hand", "medical_mask", "strands", "hat", "clothes"])
def test_each_thing_is_drawn_and_labelled(sample: Sample, name: str) -> None:
    rgb, labels = getattr(occluders, name)(sample.rgb.astype(np.float32), sample.labels, *(
        () if name == "clothes" else (sample.points,)), np.random.default_rng(3))  # fmt: skip
    number = {"hand": "occluder", "medical_mask": "occluder", "strands": "hair", "hat": "hat", "clothes": "body"}[name]
    assert rgb.shape == sample.rgb.shape and np.abs(rgb - sample.rgb).max() > 20
    changed = labels != sample.labels
    assert set(np.unique(labels[changed])) <= {NUMBER[number]} and (changed.any() or name == "clothes")


def test_the_same_seed_gives_the_same_samples(sample: Sample) -> None:
    pairs = [next(iter(Samples({"a": sample}, set(), 5))) for _ in range(2)]
    assert torch.equal(pairs[0][0], pairs[1][0]) and torch.equal(pairs[0][1], pairs[1][1])
    picture, labels = pairs[0]
    assert picture.shape == (3, 256, 256) and picture.dtype == torch.uint8 == labels.dtype
    assert set(labels.unique().tolist()) <= {*range(len(CLASSES)), UNSURE}


def test_people_who_wear_spectacles_get_none_drawn(sample: Sample) -> None:
    rng = np.random.default_rng(0)
    drawn = [one(sample, True, sample.rgb, rng)[1] for _ in range(12)]
    assert not any(((labels == NUMBER["frame"]) | (labels == NUMBER["lens"])).any() for labels in drawn)


def test_portraits_that_are_held_out_wear_nothing() -> None:
    names = [*WEARERS, *HATS, *(f"bare_{i:03}" for i in range(20))]
    assert len(held_out(names)) == 4 and not held_out(names) & (WEARERS | HATS)


def test_a_run_goes_on_where_it_stopped_and_its_loss_falls(sample: Sample, tmp_path, shared_models) -> None:
    pytest.importorskip("onnx")
    from face_part_fusion.training.parser.train import Settings, save, train_parser

    labels = tmp_path / "labels"
    labels.mkdir()
    np.savez_compressed(labels / "a.npz", **sample._asdict())
    teacher = shared_models / "skin_clothes_hair_pan.onnx"
    lines: list[str] = []
    state = tmp_path / "state.pt"
    train_parser(labels, teacher, set(), set(), state, Settings(samples=8, batch=2, workers=0), lines.append)
    assert torch.load(state, weights_only=True)["step"] == 4
    net = train_parser(labels, teacher, set(), set(), state, Settings(samples=12, batch=2, workers=0), lines.append)
    assert torch.load(state, weights_only=True)["step"] == 6
    save(net, tmp_path / "net.safetensors")
    assert (tmp_path / "net.safetensors").stat().st_size < 4e6
