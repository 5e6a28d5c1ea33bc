import pytest
import torch
from face_part_fusion.detectors.parts import GROUPS, PARTS, Face, PartMissing, Region
from face_part_fusion.detectors.regions import eye_distance
from face_part_fusion.fusion.area import COMPOSITE_PARTS, EDGES, FEATURE_PARTS, REACH, side_area
from face_part_fusion.fusion.masks import part_mask
from face_part_fusion.fusion.placement import place_part
from support.polygons import contains

SIZE = (240, 220)
FIVE = torch.tensor([[80.0, 90], [140, 90], [110, 125], [88, 160], [132, 160]])
BOXES = {
    "left_eye": (62, 84, 98, 98), "right_eye": (122, 84, 158, 98), "left_brow": (58, 64, 100, 72),
    "right_brow": (120, 64, 162, 72), "nose": (96, 100, 124, 138), "mouth": (84, 150, 136, 172),
    "skin": (45, 40, 175, 205),
}  # fmt: skip
SIDES = tuple(EDGES)


def ring(x0, y0, x1, y1):
    return torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32)


def face(x=0, y=0, **more):
    shift = torch.tensor([x, y], dtype=torch.float32)
    regions = {part: Region((ring(*box) + shift,)) for part, box in {**BOXES, **more}.items()}
    return Face((45 + x, 40 + y, 175 + x, 205 + y), 0.9, FIVE + shift, "five", regions=regions)


def area(side, target=None, reference=None, size=SIZE, grow=1.0):
    """Of two faces that lie over one another: what differs in `reference` is laid where it lies there."""
    target, placement = target or face(), place_part("left_eye", face(), face(), False)
    return side_area(side, target, reference or target, placement, size, grow)


def full(part_area, values):
    whole = torch.zeros(SIZE)
    x0, y0, x1, y1 = part_area.window
    whole[y0:y1, x0:x1] = values
    return whole


@pytest.mark.parametrize("side", SIDES)
def test_the_maps_are_as_large_as_the_window_and_go_from_0_to_1(side):
    one = area(side)
    x0, y0, x1, y1 = one.window
    for values in (one.face, one.skin):
        assert values.shape == (y1 - y0, x1 - x0) and 0 <= values.min() and 0 < values.max() <= 1
    assert one.distance.shape == (y1 - y0, x1 - x0) and one.distance.min() < 0 < one.distance.max()


@pytest.mark.parametrize("side", SIDES)
def test_the_window_holds_all_that_the_edge_may_reach_and_skin_around(side):
    (x0, y0, x1, y1), edge = area(side).window, EDGES[side]
    left, top, right, bottom = BOXES[side]
    reach = (max(edge.outer, 0) + edge.feather) * eye_distance(face())
    for room in (left - x0, top - y0, x1 - right, y1 - bottom):
        assert room > reach or 0 in (x0, y0) or x1 == SIZE[1] or y1 == SIZE[0]


def test_the_hull_holds_the_outlines_of_both_faces():
    wide = face(mouth=(74, 145, 130, 172))
    hull = area("mouth", reference=wide).hull
    assert contains(hull, torch.cat([ring(*BOXES["mouth"]), ring(74, 145, 130, 172)]))
    assert not contains(hull, torch.tensor([[74.0, 180]]))


@pytest.mark.parametrize("whose", ["target", "reference"])
@pytest.mark.parametrize("other", ["left_eye", "right_eye", "left_brow", "right_brow", "mouth"])
def test_eyes_brows_and_mouth_of_either_face_are_not_skin(other, whose):
    x0, y0, x1, y1 = BOXES[other]
    odd = face(**{other: (x0, y0 + 10, x1, y1 + 10)})
    one = area("nose", **{whose: odd}, **({"reference": face()} if whose == "target" else {}))
    spared = part_mask(odd, [other], SIZE) == 1
    assert spared.any() and full(one, one.skin)[spared].max() < 0.02 < full(one, one.skin).max()


@pytest.mark.parametrize("whose", ["target", "reference"])
def test_beyond_either_face_there_is_neither_face_nor_skin(whose):
    narrow = face(skin=(66, 40, 154, 205))
    one = area("left_eye", **{whose: narrow}, **({"reference": face()} if whose == "target" else {}))
    outside = part_mask(narrow, ["skin"], SIZE, grow=0.05 * eye_distance(narrow)) == 0
    assert full(one, one.face)[outside].max() < 0.02 and full(one, one.skin)[outside].max() < 0.02
    assert full(one, one.face).max() == 1


def test_a_nose_is_skin_and_lips_and_brows_hardly_are():
    for side, least, most in (("nose", 0.9, 1.0), ("mouth", 0.1, 0.4), ("left_eye", 0.1, 0.9), ("left_brow", 0, 0.1)):
        x0, y0, x1, y1 = BOXES[side]
        one = area(side)
        assert least <= full(one, one.skin)[(y0 + y1) // 2, (x0 + x1) // 2] <= most


def test_a_face_without_an_oval_may_change_everywhere():
    bare = Face((45, 40, 175, 205), 0.9, FIVE, "five", regions={"mouth": Region((ring(*BOXES["mouth"]),))})
    assert (area("mouth", bare).face == 1).all()


@pytest.mark.parametrize("side", ["mouth", "nose", "left_eye"])
def test_a_larger_reach_has_a_larger_window(side):
    small, large = area(side, grow=0.5).window, area(side, grow=3.0).window
    assert large[0] < small[0] and large[1] < small[1] and large[2] > small[2] and large[3] > small[3]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("x", "y"), [(-400, 0), (400, 0), (0, -400), (0, 400)])
def test_a_part_outside_the_picture_has_no_area(side, x, y):
    assert area(side, target=face(x, y)) is None


@pytest.mark.parametrize(("x", "y"), [(-110, 0), (110, 0), (0, -155), (0, 75)])
def test_a_part_at_the_border_has_an_area_inside_the_picture(x, y):
    one = area("mouth", target=face(x, y))
    x0, y0, x1, y1 = one.window
    assert 0 <= x0 < x1 <= SIZE[1] and 0 <= y0 < y1 <= SIZE[0] and one.face.shape == (y1 - y0, x1 - x0)


def test_a_tiny_face_still_has_an_area():
    tiny = Face((5, 5, 9, 9), 1, regions={"mouth": Region((ring(6, 7, 8, 8),))})
    assert area("mouth", tiny, size=(12, 12)).face.max() == 1


def test_a_painted_region_without_white_has_no_area_and_a_lacking_one_is_an_error():
    black = Face((45, 40, 175, 205), 0.9, regions={"mouth": Region(mask=torch.zeros(5, 5))})
    assert area("mouth", reference=black) is None and area("mouth", target=black, reference=face()) is None
    with pytest.raises(PartMissing, match="no 'nose'"):
        area("nose", reference=black)


def test_parts_that_can_be_composited_are_parts_and_groups_with_skin_laid_first():
    assert set(COMPOSITE_PARTS) <= {*PARTS, *GROUPS} and COMPOSITE_PARTS[0] == "skin"
    assert {side for part in COMPOSITE_PARTS for side in GROUPS.get(part, (part,))} == set(EDGES)


def test_every_part_but_the_background_can_be_given_as_features():
    assert set(FEATURE_PARTS) == {*PARTS, *GROUPS} - {"background"} and set(COMPOSITE_PARTS) < set(FEATURE_PARTS)
    assert set(REACH) == set(FEATURE_PARTS)
