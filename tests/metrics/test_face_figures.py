"""Figures of faces: what they give for pictures of which the answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.lab import to_lab, to_rgb
from face_part_fusion.metrics.expression import expression_difference
from face_part_fusion.metrics.figures import PARTS, PERSON, QUESTIONS
from face_part_fusion.metrics.gaze import gaze_difference
from face_part_fusion.metrics.light import light_difference
from face_part_fusion.metrics.likeness import SamePart, likeness, taken
from face_part_fusion.metrics.pose import rotation, turned
from face_part_fusion.metrics.psnr import SAME
from face_part_fusion.metrics.rim import rim
from face_part_fusion.metrics.score import Networks, Triple, check_counts, score, single
from face_part_fusion.metrics.seam import seam
from torch.nn.functional import affine_grid, grid_sample


def rotated(picture, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    grid = affine_grid(torch.tensor([[[c, s, 0], [-s, c, 0]]]), (1, 3, *picture.shape[1:3]), False)
    return grid_sample(picture.movedim(-1, 1), grid, "bicubic", "border", False).movedim(1, -1).clamp(0, 1)


def with_pixels(parts, pictures):
    return replace(parts, pictures=pictures)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_the_targets_or_the_references(astronaut, other, part):
    assert taken(astronaut, astronaut, other, part) == 0
    assert taken(other, astronaut, other, part) == pytest.approx(1, abs=1e-6)
    assert likeness(other, other, part) == pytest.approx(1, abs=1e-6)
    assert likeness(astronaut, other, part) < 0.9
    with pytest.raises(SamePart, match=f"show the same {part}"):
        taken(other, astronaut, astronaut, part)


def test_likeness_does_not_look_at_light_and_colour(astronaut, other):
    darker = with_pixels(other, other.pictures * torch.tensor([0.5, 0.45, 0.4]))
    assert likeness(other, darker, "eyes") > 0.99


def test_a_composite_takes_over_the_part_that_was_given(astronaut, other, detect):
    fused = detect(composite(astronaut, [PartReference(other, {"mouth": 1.0})])[0])
    figures = score(Triple(fused, astronaut, dict.fromkeys(PARTS, other))).values
    assert figures["taken_mouth"] > 60
    assert figures["taken_eyes"] < 35 and figures["taken_brows"] < 35
    assert figures["likeness_mouth"] > likeness(astronaut, other, "mouth")
    assert figures["psnr_outside"] > 60 > figures["psnr"]
    assert figures["pose"] < 5 and figures["light"] < 2
    assert 0.5 < figures["seam"] < 1.5


def test_a_photograph_is_like_itself(astronaut):
    figures = score(Triple(astronaut, astronaut)).values
    exact = {"pose": 0, "expression": 0, "gaze": 0, "light": 0, "mse": 0, "psnr": SAME, "psnr_outside": SAME}
    assert {key: figures[key] for key in exact} == pytest.approx(exact, abs=1e-4)
    assert figures["ssim"] == figures["ssim_outside"] == pytest.approx(1)
    assert "seam" not in figures and "rim" not in figures


def test_a_turned_picture_turns_the_head_by_as_much(astronaut, detect):
    for degrees in (-12, 8):
        face = detect(rotated(astronaut.pictures, degrees)).face(0)
        assert turned(astronaut.face(0), face) == pytest.approx(abs(degrees), abs=3)


def test_angles_become_the_direction_in_which_the_head_looks():
    ahead = torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64)
    assert (rotation(90, 0, 0) @ ahead).tolist() == pytest.approx([1, 0, 0], abs=1e-9)
    assert (rotation(0, 90, 0) @ ahead).tolist() == pytest.approx([0, -1, 0], abs=1e-9)
    across = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    assert (rotation(0, 0, 90) @ across).tolist() == pytest.approx([0, 1, 0], abs=1e-9)


def test_expression_and_gaze_are_in_percent_of_the_face(astronaut):
    face = astronaut.face(0)
    points = face.landmarks.clone()
    # Both irises go a tenth of an eye's width to the right.
    for iris, (a, b) in ((468, (33, 133)), (473, (362, 263))):
        points[iris] += 0.1 * (points[b] - points[a])
    assert gaze_difference(face, replace(face, landmarks=points)) == pytest.approx(10, rel=1e-3)
    opened = face.landmarks.clone()
    opened[:, 1] += 20.0 * (torch.arange(len(opened)) == 14)
    assert (
        expression_difference(astronaut, FaceParts(astronaut.pictures, ((replace(face, landmarks=opened),),), (0,))) > 0
    )


def test_light_is_in_steps_of_lightness(astronaut):
    darker = to_rgb(to_lab(astronaut.pictures) - torch.tensor([8.0, 0, 0]))
    assert light_difference(with_pixels(astronaut, darker), astronaut) == pytest.approx(8, abs=0.3)


def test_an_edge_that_was_not_there_is_seen():
    target = torch.full((120, 120, 3), 0.5)
    soft, hard = target.clone(), target.clone()
    hard[40:80, 40:80] = 0.7
    ramp = ((60 - (torch.arange(120) - 60).abs()).clamp(0, 60) / 60).pow(2)
    soft += 0.2 * (ramp[:, None] * ramp)[..., None]
    assert seam(hard, target) > 3 > 1.6 > seam(soft, target)
    assert seam(target, target) is None and seam(1 - hard, target) is not None


def test_a_patch_of_another_tone_is_seen_however_soft_its_edge():
    target = torch.full((480, 480, 3), 0.5)
    ramp = ((125 - (torch.arange(480) - 240).abs()) / 8).clamp(0, 1)
    alpha = (ramp[:, None] * ramp)[..., None]
    noise = 0.2 * torch.randn(480, 480, 1, generator=torch.Generator().manual_seed(0))
    patch, detail = target + 0.2 * alpha, target + noise * (alpha > 0.9)
    assert rim(patch, target) > 10 > 3 * rim(detail, target)
    assert seam(patch, target) < 5 and rim(target, target) is None
    # The tone of a hard patch is read as it is: L 72.8 instead of 53.4.
    assert rim(target + 0.2 * (alpha > 0.9), target) == pytest.approx(19.4, abs=0.3)


def test_what_cannot_be_measured_has_a_reason(astronaut, other):
    nobody = FaceParts(torch.zeros(1, 64, 64, 3), ((),), (None,))
    figures = score(Triple(nobody, astronaut, {"eyes": other, PERSON: other}))
    assert figures.values == {}
    assert figures.reasons["taken_eyes"] == figures.reasons["pose"] == "no face was found in the result"
    assert "face recogniser" in figures.reasons["identity"]
    assert "64 x 64 pixels and the target 320 x 320" in figures.reasons["ssim"]
    assert set(figures.values) | set(figures.reasons) <= set(QUESTIONS)


def test_every_question_is_answered_or_has_a_reason(astronaut, other):
    figures = score(Triple(astronaut, astronaut, {**dict.fromkeys(PARTS, other), PERSON: other}), Networks())
    assert set(figures.values) | set(figures.reasons) == set(QUESTIONS)
    assert not set(figures.values) & set(figures.reasons)


def test_a_batch_of_one_stands_for_any_number(astronaut):
    assert single(astronaut, 7) is astronaut
    two = FaceParts(astronaut.pictures.repeat(2, 1, 1, 1), astronaut.faces * 2, (0, None))
    assert single(two, 1).face(0) is None and len(single(two, 1)) == 1
    check_counts(2, {"target": 2, "eyes": 1})
    with pytest.raises(ValueError, match="eyes has 3 pictures and result has 2; one picture is compared with all"):
        check_counts(2, {"target": 2, "eyes": 3})


def test_a_bar_fills_from_the_worse_to_the_better_end():
    assert QUESTIONS["pose"].goodness(0) == 1 and QUESTIONS["pose"].goodness(90) == 0
    assert QUESTIONS["psnr"].goodness(30) == pytest.approx(0.5)
    assert QUESTIONS["taken_eyes"].in_words(62.345) == "62.3%"
    assert QUESTIONS["mse"].in_words(0.00123) == "0.0012"
