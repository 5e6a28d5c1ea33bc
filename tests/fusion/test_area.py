import pytest
import torch
from face_part_fusion.detectors.parts import GROUPS, PARTS, Face, Region
from face_part_fusion.detectors.regions import eye_distance
from face_part_fusion.fusion.area import COMPOSITE_PARTS, FEATURE_PARTS, REACH, blend_area
from face_part_fusion.fusion.masks import part_mask

SIZE = (240, 220)
IDENTITY = torch.eye(2, 3, dtype=torch.float64)
FIVE = torch.tensor([[80.0, 90], [140, 90], [110, 125], [88, 160], [132, 160]])
BOXES = {
    "left_eye": (62, 84, 98, 98), "right_eye": (122, 84, 158, 98), "left_brow": (58, 64, 100, 72),
    "right_brow": (120, 64, 162, 72), "nose": (96, 100, 124, 138), "mouth": (84, 150, 136, 172),
    "skin": (45, 40, 175, 205),
}  # fmt: skip


def ring(x0, y0, x1, y1):
    return torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32)


def face(x=0, y=0, five=FIVE, **more):
    shift = torch.tensor([x, y], dtype=torch.float32)
    regions = {part: Region((ring(*box) + shift,)) for part, box in {**BOXES, **more}.items()}
    return Face((45 + x, 40 + y, 175 + x, 205 + y), 0.9, five + shift, "five", regions=regions)


def area(part, target=None, reference=None, matrix=IDENTITY, size=SIZE, grow=1.0, follow=False):
    return blend_area(part, target or face(), reference or face(), matrix, size, grow=grow, follow=follow)


def full(blend, values):
    whole = torch.zeros(SIZE)
    x0, y0, x1, y1 = blend.window
    whole[y0:y1, x0:x1] = values
    return whole


@pytest.mark.parametrize("part", [p for p in COMPOSITE_PARTS if p != "skin"])
def test_a_part_is_laid_whole_inside_its_outline(part):
    inside = part_mask(face(), [part], SIZE, grow=-2) == 1
    assert inside.any() and full(area(part), area(part).alpha)[inside].min() > 0.99


@pytest.mark.parametrize("part", COMPOSITE_PARTS)
def test_nothing_reaches_the_rim_of_the_window(part):
    blend = area(part)
    for values in (blend.alpha, blend.support, blend.ring):
        edge = torch.cat([values[0], values[-1], values[:, 0], values[:, -1]])
        assert edge.max() == 0 < values.max() <= 1 and values.min() >= 0


@pytest.mark.parametrize("part", COMPOSITE_PARTS)
def test_what_is_blended_may_change_and_the_ring_lies_within(part):
    blend = area(part)
    assert (blend.support[blend.alpha > 0] == 1).all() and (blend.support[blend.ring > 0] > 0).all()


@pytest.mark.parametrize(("part", "neighbour"), [(p, n) for p in COMPOSITE_PARTS for n in REACH[p].neighbours])
def test_neighbours_are_neither_blended_nor_measured(part, neighbour):
    spared = part_mask(face(), [neighbour], SIZE, grow=-0.03 * eye_distance(face())) == 1
    blend = area(part)
    assert spared.any() and full(blend, blend.alpha)[spared].max() < 0.02
    assert full(blend, blend.ring)[spared].max() < 0.02


def test_a_neighbour_of_the_reference_is_not_brought_along():
    far_up = face(mouth=(84, 144, 136, 172))
    spared = part_mask(far_up, ["mouth"], SIZE, grow=-4) == 1
    blend = area("nose", reference=far_up)
    assert full(blend, blend.alpha)[spared].max() < 0.02


def test_off_the_face_nothing_is_blended():
    narrow = face(skin=(60, 40, 160, 205))
    outside = part_mask(narrow, ["skin"], SIZE, grow=0.12 * eye_distance(narrow)) == 0
    for target, reference in ((narrow, face()), (face(), narrow)):
        blend = area("left_eye", target, reference)
        assert full(blend, blend.alpha)[outside].max() < 0.02


def test_a_larger_reach_blends_more_and_everywhere_at_least_as_much():
    small, large = (full(blend, blend.alpha) for blend in (area("mouth", grow=0.5), area("mouth", grow=2)))
    assert (large >= small - 0.02).all() and large.sum() > 1.2 * small.sum()


def test_both_outlines_count_unless_the_part_follows_the_target():
    wide = face(mouth=(74, 150, 146, 172))
    both, follow = area("mouth", reference=wide), area("mouth", reference=wide, follow=True)
    assert full(both, both.alpha)[160, 76] > 0.9 > 0.1 > full(area("mouth"), area("mouth").alpha)[160, 62]
    assert both.window[0] < follow.window[0] and follow.window == area("mouth").window


def test_eyes_that_look_the_same_way_are_one_band_and_turned_ones_are_two():
    turned = FIVE.clone()
    turned[2, 0] += 25
    one, two = area("eyes", grow=0.3), area("eyes", reference=face(five=turned), grow=0.3)
    between = [float(full(a, a.alpha)[91, 110]) for a in (one, two)]
    assert between[0] > 0.9 > 0.3 > between[1]


@pytest.mark.parametrize("part", COMPOSITE_PARTS)
@pytest.mark.parametrize(("x", "y"), [(-400, 0), (400, 0), (0, -400), (0, 400)])
def test_a_part_outside_the_picture_has_no_area(part, x, y):
    moved = IDENTITY + torch.tensor([[0, 0, x], [0, 0, y]])
    assert area(part, target=face(x, y), matrix=moved) is None


@pytest.mark.parametrize(("x", "y"), [(-110, 0), (110, 0), (0, -155), (0, 75)])
def test_a_part_at_the_border_has_an_area_inside_the_picture(x, y):
    blend = area("mouth", target=face(x, y), matrix=IDENTITY + torch.tensor([[0, 0, x], [0, 0, y]]))
    x0, y0, x1, y1 = blend.window
    assert 0 <= x0 < x1 <= SIZE[1] and 0 <= y0 < y1 <= SIZE[0] and blend.alpha.shape == (y1 - y0, x1 - x0)
    assert blend.alpha.max() > 0.9


def test_a_tiny_face_still_has_an_area():
    tiny = Face((5, 5, 9, 9), 1, regions={"mouth": Region((ring(6, 7, 8, 8),))})
    assert area("mouth", tiny, tiny, size=(12, 12)).alpha.max() > 0


def test_parts_that_can_be_composited_are_parts_and_groups_with_skin_laid_first():
    assert set(COMPOSITE_PARTS) <= {*PARTS, *GROUPS} and COMPOSITE_PARTS[0] == "skin"


def test_every_part_but_the_background_can_be_given_as_features():
    assert set(FEATURE_PARTS) == {*PARTS, *GROUPS} - {"background"} and set(COMPOSITE_PARTS) < set(FEATURE_PARTS)
