import pytest
import torch
from face_part_fusion.detectors.parts import LANDMARK_PARTS
from face_part_fusion.detectors.schemes import ANCHORS_OF, FIVE_POINTS, SCHEMES, anchors, five_points, scheme_of

DENSE = ("mediapipe468", "mediapipe478", "ibug68", "insightface106")


@pytest.mark.parametrize("name", SCHEMES)
def test_every_index_exists_and_no_ring_visits_a_point_twice(name):
    scheme = SCHEMES[name]
    for rings in scheme.rings.values():
        for ring in rings:
            assert len(ring) >= 3 and len(set(ring)) == len(ring)
            assert 0 <= min(ring) and max(ring) < scheme.count
    for points in scheme.anchors.values():
        assert points and 0 <= min(points) and max(points) < scheme.count


def test_dense_schemes_share_every_anchor_name_and_those_of_each_part():
    names = [set(SCHEMES[name].anchors) for name in DENSE]
    assert all(found == names[0] for found in names)
    assert {anchor for part in ANCHORS_OF.values() for anchor in part} <= names[0]
    assert set(FIVE_POINTS) == set(SCHEMES["five"].anchors)


def test_106_points_outline_every_part_that_landmarks_can_give():
    assert set(SCHEMES["insightface106"].rings) == LANDMARK_PARTS


def test_106_points_are_used_once_by_contour_eyes_brows_nose_and_mouth():
    rings = SCHEMES["insightface106"].rings
    used = [i for part in ("left_eye", "right_eye", "left_brow", "right_brow", "nose") for i in rings[part][0]]
    used += [i for ring in rings["lips"] for i in ring]
    jaw = [i for i in rings["skin"][0] if i not in used]
    # What is left over: bridge and tip of the nose, and two points inside each eye.
    assert sorted(set(range(106)) - set(used) - set(jaw)) == [34, 38, 73, 74, 86, 88, 92]
    assert sorted(jaw) == list(range(33)) and len(used) == len(set(used))


# The usual translation of 2d106det to the iBUG mark-up; a second, independent reading of the same figure.
IBUG_OF_106 = (
    1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17, 43, 48, 49, 51, 50, 102, 103, 104, 105, 101,
    72, 73, 74, 86, 78, 79, 80, 85, 84, 35, 41, 42, 39, 37, 36, 89, 95, 96, 93, 91, 90,
    52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55, 65, 66, 62, 70, 69, 57, 60, 54,
)  # fmt: skip


def test_106_and_68_points_agree_on_the_order_of_every_outline_they_share():
    dense, sparse = SCHEMES["insightface106"], SCHEMES["ibug68"]
    for part in ("left_eye", "right_eye", "mouth", "inner_mouth"):
        translated = [IBUG_OF_106[i] for i in sparse.rings[part][0]]
        assert [i for i in dense.rings[part][0] if i in translated] == translated
    single = [name for name, points in sparse.anchors.items() if len(points) == 1 and not name.endswith("brow_inner")]
    for name in single:
        assert dense.anchors[name] == (IBUG_OF_106[sparse.anchors[name][0]],)


def test_an_anchor_is_the_mean_of_its_points_and_five_points_come_left_before_right():
    points = torch.rand(106, 2)
    assert torch.allclose(anchors(points, "insightface106")["left_brow_inner"], points[[46, 50]].mean(0))
    five = five_points(points, "insightface106")
    assert five.shape == (5, 2) and torch.equal(five[3:], points[[52, 61]])


def test_an_unknown_scheme_and_a_wrong_count_name_what_came():
    with pytest.raises(ValueError, match="'dlib194' is not a landmark scheme"):
        scheme_of("dlib194", 194)
    with pytest.raises(ValueError, match="106 points, but 68 came"):
        scheme_of("insightface106", 68)
