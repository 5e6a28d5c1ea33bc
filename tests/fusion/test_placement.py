from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.regions import eye_distance, with_regions
from face_part_fusion.detectors.schemes import SCHEMES
from face_part_fusion.fusion.outline import outlines
from face_part_fusion.fusion.placement import FEW, place_part
from face_part_fusion.fusion.similarity import apply_affine, fit_similarity
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_faces import drawn
from support.mesh_head import mesh_head

RINGS = SCHEMES["mediapipe468"].rings


def points_of(face, part):
    return face.landmarks[list(RINGS[part][0])]


def error(placement, reference, target, part):
    """How far the part lies from where the target's own head has it, in eye distances."""
    moved = placement.moved([points_of(reference, part)])[0]
    return float((moved - points_of(target, part)).norm(dim=1).mean()) / eye_distance(target)


@settings(deadline=None, max_examples=15)
@given(st.floats(-3, 3), st.floats(20, 90), st.sampled_from(["nose", "mouth", "left_eye", "eyes", "brows", "skin"]))
def test_faces_that_look_ahead_are_laid_by_a_similarity_alone(roll, unit, part):
    reference, target = drawn(roll=roll, unit=unit), drawn()
    placement = place_part(part, target, reference, False)
    assert torch.allclose(placement.place, apply_affine(placement.matrix, placement.source), atol=0.05)
    ring = points_of(reference, "mouth")
    assert torch.allclose(placement.moved([ring])[0], apply_affine(placement.matrix, ring), atol=0.1)
    assert torch.allclose(placement.place, placement.own, atol=0.05)


@pytest.mark.parametrize(("here", "there"), [(-15, 15), (0, 28), (25, -5)])
@pytest.mark.parametrize("part", ["nose", "left_eye", "right_eye"])
def test_a_turned_head_gets_the_part_where_its_own_is(part, here, there):
    reference, target = mesh_head(here, unit=80.0), mesh_head(there, roll=10.0)
    placed = error(place_part(part, target, reference, False), reference, target, part)
    source, goal = points_of(reference, part), points_of(target, part)
    flat = (apply_affine(fit_similarity(source, goal), source) - goal).norm(dim=1).mean() / eye_distance(target)
    assert placed < 0.01 and placed < 0.5 * float(flat)


@pytest.mark.parametrize(("here", "there", "roll"), [(0, 0, 0), (0, 20, 0), (-15, 20, 30), (5, 5, 90)])
def test_the_turn_is_the_angle_between_the_heads_whatever_their_roll(here, there, roll):
    placement = place_part("nose", mesh_head(there, roll), mesh_head(here), False)
    assert placement.turn == pytest.approx(abs(there - here), abs=0.5)


def test_without_depth_the_turn_is_unknown_and_not_followed():
    flat = replace(mesh_head(-15), depth=None)
    placement = place_part("nose", mesh_head(15), flat, False)
    assert placement.turn is None
    assert torch.allclose(placement.place, apply_affine(placement.matrix, placement.source), atol=0.05)


def test_a_turn_within_the_errors_of_a_mesh_is_not_followed():
    placement = place_part("nose", mesh_head(8), mesh_head(0), False)
    assert torch.allclose(placement.place, apply_affine(placement.matrix, placement.source), atol=0.05)


@pytest.mark.parametrize("part", ["nose", "mouth", "left_eye"])
def test_other_schemes_are_laid_by_a_similarity_of_the_points_they_share(part):
    for target, reference in ((drawn(), drawn("insightface106", 70, 60, 50)), (drawn("insightface106"), drawn())):
        placement = place_part(part, target, reference, False)
        assert placement.turn is None and torch.allclose(
            placement.place, apply_affine(placement.matrix, placement.source), atol=0.05
        )
        assert (placement.bend is None) == (len(placement.source) <= FEW)


@pytest.mark.parametrize("schemes", [("mediapipe468", "mediapipe468"), ("insightface106", "insightface106")])
def test_a_part_that_follows_meets_the_targets_points(schemes):
    target = drawn(schemes[0], roll=0.4)
    reference = drawn(schemes[1], unit=40)
    points = reference.landmarks.clone()
    mouth = list(SCHEMES[reference.scheme].rings["mouth"][0])
    points[mouth] += torch.tensor([[1.0, 3.0]]) * torch.linspace(-1, 1, len(mouth))[:, None]
    reference = with_regions(replace(reference, landmarks=points, regions={}))
    placement = place_part("mouth", target, reference, True)
    assert torch.equal(placement.place, placement.own)
    moved = placement.moved([reference.landmarks[mouth]])[0]
    assert (moved - target.landmarks[mouth]).norm(dim=1).max() < 0.03 * eye_distance(target)


def stretched(width):
    face = drawn()
    points, mouth = face.landmarks.clone(), list(RINGS["mouth"][0])
    middle = points[mouth].mean(0)
    points[mouth] = middle + (points[mouth] - middle) * torch.tensor([width, 1.0])
    return with_regions(replace(face, landmarks=points, regions={}))


def width(ring):
    return float(ring[:, 0].max() - ring[:, 0].min())


def test_a_share_of_0_is_the_targets_shape_1_the_references_and_half_is_halfway():
    target, reference = drawn(), stretched(1.6)
    whole = place_part("mouth", target, reference, False)
    widths = [width(whole.at_share(share).moved(outlines(reference, "mouth"))[0]) for share in (0.0, 0.5, 1.0)]
    assert widths[0] == pytest.approx(width(points_of(target, "mouth")), rel=0.03)
    assert widths[2] == pytest.approx(width(whole.moved(outlines(reference, "mouth"))[0]), rel=1e-3)
    assert widths[1] == pytest.approx((widths[0] + widths[2]) / 2, rel=0.03) and widths[2] > 1.1 * widths[0]
    assert torch.allclose(whole.at_share(0.5).place, (whole.own + whole.place) / 2, atol=1e-4)


def test_a_wide_mouth_stays_wide_as_its_size_follows_the_face():
    wide = place_part("mouth", drawn(), stretched(1.6), False)
    plain = fit_similarity(points_of(stretched(1.6), "mouth"), points_of(drawn(), "mouth"))
    ring = points_of(stretched(1.6), "mouth")
    assert width(wide.moved([ring])[0]) > 1.02 * width(apply_affine(plain, ring))


def test_what_is_far_from_the_part_is_no_knot():
    face = mesh_head()
    placement = place_part("left_eye", face, face, False)
    assert len(placement.source) == len(placement.place) == len(placement.own) < 250
    assert torch.allclose(placement.source, placement.place, atol=1e-2)
