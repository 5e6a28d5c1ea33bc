import math

import pytest
import torch
from face_part_fusion.detectors.parts import LANDMARK_PARTS, Face, Region
from face_part_fusion.detectors.regions import eye_distance, with_regions
from face_part_fusion.detectors.schemes import SCHEMES, anchors
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_faces import drawn
from support.mesh_head import mesh_head
from support.polygons import area, contains, is_simple

FIVE = torch.tensor([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])


def scattered(scheme):
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(SCHEMES[scheme].count, 2, generator=generator) * 80 + 10
    return Face((10, 10, 90, 90), 0.9, points, scheme)


@pytest.mark.parametrize("scheme", ["mediapipe468", "mediapipe478", "insightface106"])
def test_dense_landmarks_give_every_part_that_landmarks_can_give(scheme):
    face = scattered(scheme)
    regions = with_regions(face).regions
    assert set(regions) == LANDMARK_PARTS
    for part, rings in SCHEMES[scheme].rings.items():
        assert len(regions[part].rings) == len(rings) and regions[part].mask is None


@pytest.mark.parametrize("scheme", ["mediapipe468", "insightface106"])
def test_a_parts_box_lies_about_its_landmarks(scheme):
    face = scattered(scheme)
    for part, rings in SCHEMES[scheme].rings.items():
        points = torch.cat([face.landmarks[list(ring)] for ring in rings])
        middle, box = points.mean(0), with_regions(face).box_of(part)
        assert box[0] < middle[0] < box[2] and box[1] < middle[1] < box[3]


def test_lips_have_a_hole_where_the_inside_of_the_mouth_is():
    regions = with_regions(scattered("mediapipe468")).regions
    assert torch.allclose(regions["lips"].rings[1].mean(0), regions["inner_mouth"].rings[0].mean(0), atol=1e-3)
    assert torch.allclose(regions["lips"].rings[0].mean(0), regions["mouth"].rings[0].mean(0), atol=1e-3)


def test_the_mouth_of_68_points_is_outlined_and_the_nose_is_absent():
    face = with_regions(scattered("ibug68"))
    assert face.has("mouth") and face.has("eyes") and not face.has("nose")


def test_five_points_outline_nothing_and_a_face_without_landmarks_stays_as_it_is():
    assert with_regions(Face((0, 0, 99, 99), 0.9, FIVE, "five")).regions == {}
    bare = Face((0, 0, 99, 99), 0.9)
    assert with_regions(bare) is bare


def test_a_region_that_the_face_already_has_is_kept():
    own = Region(mask=torch.ones(3, 3), corner=(4, 5))
    face = scattered("insightface106")
    outlined = with_regions(Face(face.box, 0.9, face.landmarks, face.scheme, regions={"nose": own, "hair": own}))
    assert outlined.regions["nose"] is own and outlined.regions["hair"] is own and outlined.has("mouth")


def test_the_input_face_is_not_changed():
    face = scattered("mediapipe468")
    before = face.landmarks.clone()
    with_regions(face)
    assert face.regions == {} and torch.equal(face.landmarks, before)


def test_landmarks_that_do_not_fit_their_scheme_are_refused():
    with pytest.raises(ValueError, match="has 468 points, but 5 came"):
        with_regions(Face((0, 0, 99, 99), 0.9, FIVE, "mediapipe468"))


@pytest.mark.parametrize("scheme", ["mediapipe468", "insightface106", "ibug68"])
@pytest.mark.parametrize("roll", [-3.0, -1.2, 0.0, 0.7, 2.0])
def test_an_eye_reaches_beyond_its_lids_farther_above_than_below(scheme, roll):
    face = lidded(scheme, roll)
    for eye in ("left_eye", "right_eye"):
        lids, (outline,) = face.landmarks[list(SCHEMES[scheme].rings[eye][0])], face.regions[eye].rings
        assert contains(outline, lids) and is_simple(outline)
        assert 1.2 * area(lids) < area(outline) < 1.8 * area(lids)
        down = torch.tensor([-math.sin(roll), math.cos(roll)])
        above = float((lids @ down).amin() - (outline @ down).amin())
        below = float((outline @ down).amax() - (lids @ down).amax())
        assert above > 1.5 * below > 0


def lidded(scheme, roll):
    """A drawn face; with 68 points, one that has the eyes and the named points of the face with 106."""
    if scheme != "ibug68":
        return drawn(scheme, unit=100.0, roll=roll)
    dense, points, sparse = drawn("insightface106", unit=100.0, roll=roll), torch.zeros(68, 2), SCHEMES[scheme]
    for name, point in anchors(dense.landmarks, dense.scheme).items():
        points[list(sparse.anchors[name])] = point
    for eye in ("left_eye", "right_eye"):
        ring = SCHEMES[dense.scheme].rings[eye][0]
        points[list(sparse.rings[eye][0])] = dense.landmarks[[ring[i] for i in (0, 1, 3, 4, 5, 7)]]
    return with_regions(Face(dense.box, 0.9, points, scheme))


@given(yaw=st.floats(-90, 90), roll=st.floats(-180, 180))
@settings(deadline=None)
def test_a_nose_holds_its_ridge_and_tip_at_every_yaw(yaw, roll):
    face = mesh_head(yaw, roll)
    (outline,) = face.regions["nose"].rings
    assert is_simple(outline)
    assert contains(outline, face.landmarks[[168, 6, 197, 195, 5, 4, 1, 2]])


@given(yaw=st.floats(-90, 90))
@settings(deadline=None)
def test_an_eye_holds_its_lids_at_every_yaw(yaw):
    face = mesh_head(yaw)
    for eye in ("left_eye", "right_eye"):
        (outline,) = face.regions[eye].rings
        assert is_simple(outline) and contains(outline, face.landmarks[list(SCHEMES["mediapipe468"].rings[eye][0])])


@given(yaw=st.floats(-70, 70), roll=st.floats(-180, 180), unit=st.floats(30, 3000))
@settings(deadline=None)
def test_outlines_turn_and_grow_with_the_face(yaw, roll, unit):
    upright, turned = mesh_head(yaw), mesh_head(yaw, roll, unit)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    for part in ("left_eye", "left_brow", "nose"):
        moved = (upright.regions[part].rings[0] - 200) @ torch.tensor([[c, s], [-s, c]]) * (unit / 100) + 200
        (outline,) = turned.regions[part].rings
        # Where two lids' points lie equally far, either may give a corner.
        assert contains(outline, moved, 0.01 * unit) and contains(moved, outline, 0.01 * unit)
        assert area(outline) == pytest.approx(area(moved), rel=0.02)


def test_a_turned_nose_ends_at_the_foot_of_its_side():
    ahead, aside = mesh_head(0), mesh_head(30)
    foot = [245, 209, 64]
    assert not contains(ahead.regions["nose"].rings[0], ahead.landmarks[foot], 0.5)
    assert contains(aside.regions["nose"].rings[0], aside.landmarks[foot], 0.5)


def test_a_brow_ends_before_its_innermost_landmarks_and_holds_the_hair_below_them():
    face = mesh_head(0)
    (outline,), points = face.regions["left_brow"].rings, face.landmarks
    assert float(outline[:, 0].amax()) < float(points[[55, 107], 0].amin()) + 0.5
    assert contains(outline, points[[52, 65]], -1.0)


def test_a_face_whose_points_coincide_has_finite_outlines():
    face = with_regions(Face((0, 0, 9, 9), 0.9, torch.full((468, 2), 7.0), "mediapipe468"))
    assert all(ring.isfinite().all() for region in face.regions.values() for ring in region.rings)


@pytest.mark.parametrize("scheme", ["mediapipe468", "insightface106", "ibug68"])
def test_eye_distance_is_from_outer_corner_to_outer_corner(scheme):
    outer = [SCHEMES[scheme].anchors[name][0] for name in ("left_eye_outer", "right_eye_outer")]
    points = torch.zeros(SCHEMES[scheme].count, 2)
    points[outer] = torch.tensor([[10.0, 20], [40, 60]])
    assert eye_distance(Face((0, 0, 99, 99), 0.9, points, scheme)) == pytest.approx(50)


def test_a_face_in_profile_is_measured_by_its_nose_too():
    names = SCHEMES["mediapipe468"].anchors
    points = torch.zeros(468, 2)
    points[names["left_eye_outer"][0], 0], points[names["nose_base"][0], 1] = 10, 40
    assert eye_distance(Face((0, 0, 99, 99), 0.9, points, "mediapipe468")) > 40


def test_five_points_and_a_bare_box_give_an_estimate_that_grows_with_the_face():
    five = Face((0, 0, 99, 99), 0.9, FIVE, "five")
    twice = Face((0, 0, 198, 198), 0.9, FIVE * 2, "five")
    assert 40 < eye_distance(five) < 80 and eye_distance(twice) == pytest.approx(2 * eye_distance(five))
    assert 40 < eye_distance(Face((0, 0, 100, 100), 0.9)) < 80
    assert eye_distance(Face((0, 0, 200, 200), 0.9)) == pytest.approx(2 * eye_distance(Face((0, 0, 100, 100), 0.9)))


def test_a_face_without_size_still_has_a_unit():
    assert eye_distance(Face((5, 5, 5, 5), 0.9)) == 1
    assert eye_distance(Face((5, 5, 5, 5), 0.9, torch.full((5, 2), 5.0), "five")) == 1
