"""The close look at spectacles: frames of drawn ones on the astronaut, on whom nothing was trained."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from face_part_fusion.detectors import parser_builtin
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.bundled import FOLDER, load_bundled
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_net import CLASSES
from face_part_fusion.detectors.parts import Face
from face_part_fusion.detectors.spectacles_net import (
    LOOKS,
    STRIP_HEIGHT,
    STRIP_WIDTH,
    WEIGHTS,
    CloseLook,
    look_closely,
    spectacles_net,
    strip_square,
)
from face_part_fusion.training.parser import spectacles

SEEDS = range(8)


@pytest.fixture(scope="module")
def parser() -> BuiltinParser:
    return BuiltinParser()


@pytest.fixture(scope="module")
def astronaut() -> tuple[torch.Tensor, Face]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    picture = torch.from_numpy(data.astronaut()[:330, 90:350].astype(np.float32) / 255)
    large = torch.nn.functional.interpolate(picture.permute(2, 0, 1)[None], scale_factor=2, mode="bicubic")
    picture = large[0].permute(1, 2, 0).clamp(0, 1).contiguous()
    return picture, BuiltinDetector()(picture[None])[0][0]


def wearing(picture: torch.Tensor, face: Face, skin: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The picture with spectacles, and (H, W) bool: their frame."""
    points = torch.cat((face.landmarks, face.depth[:, None]), 1).numpy()
    rgb, frame, _ = spectacles.draw(255 * picture.numpy(), points, skin.numpy() > 0.5, np.random.default_rng(seed))
    return torch.from_numpy(rgb / 255), torch.from_numpy(frame) > 0.5


def overlap(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_it_is_small() -> None:
    assert (FOLDER / WEIGHTS).stat().st_size < 1e6
    assert (FOLDER / WEIGHTS).stat().st_size + (FOLDER / parser_builtin.WEIGHTS).stat().st_size < 4e6
    with torch.no_grad():
        seen = load_bundled(spectacles_net(), WEIGHTS)(torch.rand(2, 3, STRIP_HEIGHT, STRIP_WIDTH))
    assert seen.shape == (2, len(LOOKS), STRIP_HEIGHT, STRIP_WIDTH)


def test_frames_are_seen_where_they_are_drawn(parser: BuiltinParser, astronaut: tuple[torch.Tensor, Face]) -> None:
    picture, face = astronaut
    skin = parser(picture, face).of("face", "ears", "hair")
    close, first = [], []
    for seed in SEEDS:
        worn, frame = wearing(picture, face, skin, seed)
        parse = parser(worn, face)
        with mock.patch.object(CloseLook, "refine"):
            coarse = parser(worn, face)
        if parse.spectacles:
            close.append(overlap(parse.of("frame") > 0.5, frame))
            first.append(overlap(coarse.of("frame") > 0.5, frame))
    assert len(close) >= 6 and np.mean(close) > 0.4 and np.mean(close) > np.mean(first) + 0.15
    assert sorted(close)[-3] > 0.5


def test_a_head_that_is_turned_and_a_larger_picture_change_little(
    parser: BuiltinParser, astronaut: tuple[torch.Tensor, Face]
) -> None:
    picture, face = astronaut
    worn, _ = wearing(picture, face, parser(picture, face).of("face", "ears", "hair"), 4)
    upright = parser(worn, face).of("frame") > 0.5
    turned_points = torch.stack((face.landmarks[:, 1], picture.shape[1] - face.landmarks[:, 0]), 1)
    x0, y0, x1, y1 = face.box
    turned_face = Face((y0, picture.shape[1] - x1, y1, picture.shape[1] - x0), 1.0, turned_points, face.scheme)
    turned = parser(worn.rot90(1, (0, 1)).contiguous(), turned_face).of("frame").rot90(-1) > 0.5
    assert overlap(upright, turned) > 0.75
    large = torch.nn.functional.interpolate(worn.permute(2, 0, 1)[None], scale_factor=2, mode="bilinear")[0]
    larger_face = Face(tuple(2 * v for v in face.box), 1.0, 2 * face.landmarks, face.scheme)
    frame = parser(large.permute(1, 2, 0).contiguous(), larger_face).of("frame")
    assert overlap(upright, torch.nn.functional.avg_pool2d(frame[None], 2)[0] > 0.5) > 0.75


def test_only_those_who_wear_spectacles_are_looked_at(
    parser: BuiltinParser, astronaut: tuple[torch.Tensor, Face]
) -> None:
    picture, face = astronaut
    worn, _ = wearing(picture, face, parser(picture, face).of("face", "ears", "hair"), 1)
    with mock.patch.object(parser_builtin, "look_closely", wraps=look_closely) as looks:
        first, second, third = parser.many([picture, worn, picture], [face] * 3)
    assert [len(call.args[2]) for call in looks.call_args_list] == [1]
    assert not first.spectacles and second.spectacles and not third.spectacles
    assert torch.allclose(second.coarse, parser(worn, face).coarse, atol=1e-4)


def test_spectacles_of_which_no_frame_is_seen_closely_are_none(
    parser: BuiltinParser, astronaut: tuple[torch.Tensor, Face]
) -> None:
    picture, face = astronaut
    worn, _ = wearing(picture, face, parser(picture, face).of("face", "ears", "hair"), 4)
    (look,) = look_closely(parser.net.spectacles, [worn], [face])
    (bare,) = look_closely(parser.net.spectacles, [picture], [face])
    assert look.sees_spectacles and not bare.sees_spectacles
    with mock.patch.object(parser_builtin, "look_closely", return_value=[bare]):
        parse = parser(worn, face)
    assert not parse.spectacles and parse.of("frame", "lens").max() == 0


def test_probabilities_still_add_up_to_one_and_stay_beyond_the_strip(astronaut: tuple[torch.Tensor, Face]) -> None:
    _, face = astronaut
    before = torch.rand(len(CLASSES), 90, 120).softmax(0)
    before[:, 40, 60] = 0
    before[CLASSES.index("lens"), 40, 60] = 1
    maps = torch.zeros(3, STRIP_WIDTH, STRIP_WIDTH)
    maps[0, 80:240] = 1
    look, after = CloseLook(torch.tensor([60.0, 40.0, 80.0, 0.0]), maps), before.clone()
    look.refine(after, (0, 0), 1)
    assert (after.sum(0) - 1).abs().max() < 1e-5 and after.min() >= 0
    assert torch.equal(after[:, :18], before[:, :18]) and torch.equal(after[:, 62:], before[:, 62:])
    assert after[CLASSES.index("frame"), 25:55, 30:90].max() == 0 and after[CLASSES.index("face"), 40, 60] > 0.99
    beyond, same = CloseLook(torch.tensor([-500.0, -500.0, 80.0, 0.0]), maps), before.clone()
    beyond.refine(same, (0, 0), 1)
    assert torch.equal(same, before)
    assert strip_square(face).shape == (4,)
