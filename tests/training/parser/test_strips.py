"""Training the close look in miniature: strips lie where the eyes are, what is drawn is labelled, and it goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.parser_net import FaceParser
from face_part_fusion.detectors.spectacles_net import LOOKS, STRIP_HEIGHT, STRIP_WIDTH
from face_part_fusion.training.parser import strips as strips_module
from face_part_fusion.training.parser.labels import Sample
from face_part_fusion.training.parser.strips import Strip, Strips, cut, one_strip
from face_part_fusion.training.parser.train import Settings, save, train_spectacles


@pytest.fixture(scope="module")
def strip(astronaut: torch.Tensor, sample: Sample) -> Strip:
    strip = cut(astronaut, sample, BuiltinDetector())
    assert strip is not None
    return strip


def test_the_eyes_lie_in_the_middle_of_a_strip(strip: Strip) -> None:
    left, right = strip.points[[33, 133], :2].mean(0), strip.points[[362, 263], :2].mean(0)
    assert np.abs((left + right) / 2 - (240, 144)).max() < 2 and abs(right[1] - left[1]) < 2
    assert 90 < np.linalg.norm(right - left) < 120 and strip.rgb.shape == (288, 480, 3)


def test_strip_and_sample_show_the_same_face(strip: Strip, sample: Sample) -> None:
    x, y, size = strip.head
    assert np.abs(strip.points[:, :2] * size + (x, y) - sample.points[:, :2]).max() < 1
    nose = strip.points[4, :2].astype(int)
    assert strip.skin[nose[1], nose[0]]
    laid = strips_module._laid(sample.rgb, strip.head, strips_module.Image.Resampling.BILINEAR)
    assert np.abs(laid.astype(float) - strip.rgb).mean() < 8


def test_shares_are_those_of_what_is_drawn(strip: Strip, sample: Sample, monkeypatch) -> None:
    monkeypatch.setattr(strips_module, "_COVERED", 0.0)
    bare = 0
    for seed in range(12):
        picture, shares = one_strip(strip, sample, np.random.default_rng(seed))
        assert picture.shape == shares.shape == (len(LOOKS), STRIP_HEIGHT, STRIP_WIDTH)
        assert picture.dtype == shares.dtype == torch.uint8 and (shares.long().sum(0) == 255).all()
        frame, lens = (float(share.float().sum()) / 255 / 107**2 for share in shares[1:])
        bare += lens == 0
        assert lens == 0 == frame or (0.002 < frame < 1.5 and 0.15 < lens < 2)
    assert 0 < bare < 6


def test_hair_and_hands_lie_over_spectacles(strip: Strip, sample: Sample, monkeypatch) -> None:
    monkeypatch.setattr(strips_module, "_BARE", 0.0)

    def lens(covered: float) -> int:
        monkeypatch.setattr(strips_module, "_COVERED", covered)
        pairs = [one_strip(strip, sample, np.random.default_rng(seed)) for seed in range(8)]
        return sum(int((shares[2] > 127).sum()) for _, shares in pairs)

    assert lens(1.0) < 0.97 * lens(0.0)


def test_the_same_seed_gives_the_same_strips(strip: Strip, sample: Sample) -> None:
    pairs = [next(iter(Strips({"a": strip}, {"a": sample}, 5))) for _ in range(2)]
    assert torch.equal(pairs[0][0], pairs[1][0]) and torch.equal(pairs[0][1], pairs[1][1])


def test_a_run_goes_on_where_it_stopped(strip: Strip, sample: Sample, tmp_path) -> None:
    for folder, one in (("labels", sample), ("strips", strip)):
        (tmp_path / folder).mkdir()
        np.savez_compressed(tmp_path / folder / "a.npz", **one._asdict())
    state, lines = tmp_path / "spectacles.pt", []

    def run(samples: int) -> torch.nn.Module:
        settings = Settings(samples=samples, batch=2, workers=0)
        return train_spectacles(
            tmp_path / "strips", tmp_path / "labels", set(), FaceParser(), state, settings, lines.append
        )

    run(4)
    assert torch.load(state, weights_only=True)["step"] == 2
    net = run(6)
    assert torch.load(state, weights_only=True)["step"] == 3
    save(net, tmp_path / "net.safetensors")
    assert (tmp_path / "net.safetensors").stat().st_size < 1e6
