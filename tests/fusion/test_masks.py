from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, PartMissing, Region
from face_part_fusion.fusion.masks import SHAPES, oval_masks, part_mask, part_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

SIZE = (60, 50)
BOXES = {
    "left_eye": (10, 16, 20, 20), "right_eye": (30, 16, 40, 20), "nose": (20, 22, 30, 36), "mouth": (16, 42, 34, 50),
}  # fmt: skip


def ring(x0, y0, x1, y1):
    return torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32)


def face(x=0, y=0, **regions):
    shifted = {part: Region((ring(*b) + torch.tensor([x, y], dtype=torch.float32),)) for part, b in BOXES.items()}
    return Face((x + 5, y + 5, x + 45, y + 55), 0.9, regions={**shifted, **regions})


def filled(*boxes):
    mask = torch.zeros(SIZE)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = 1
    return mask


def test_an_outline_is_filled_up_to_its_edge():
    mask = part_mask(face(), ["nose"], SIZE)
    assert mask.shape == SIZE and mask.dtype == torch.float32 and torch.equal(mask, filled(BOXES["nose"]))


def test_a_slanted_outline_has_a_soft_step_and_not_more():
    diamond = Region((torch.tensor([[25.0, 10], [40, 30], [25, 50], [10, 30]]),))
    mask = part_mask(face(nose=diamond), ["nose"], SIZE)
    assert mask[30, 25] == 1 and mask[12, 12] == 0 and mask.sum() == pytest.approx(30 * 40 / 2, rel=0.01)
    assert ((mask > 0) & (mask < 1)).sum() < 4 * 2 * 25


def test_several_parts_and_groups_are_one_mask():
    assert torch.equal(part_mask(face(), ["eyes"], SIZE), filled(BOXES["left_eye"], BOXES["right_eye"]))
    union = part_mask(face(), ["mouth", "eyes", "mouth"], SIZE)
    assert torch.equal(union, torch.maximum(part_mask(face(), ["eyes"], SIZE), part_mask(face(), ["mouth"], SIZE)))


def test_no_part_is_an_empty_mask():
    assert torch.equal(part_mask(face(), [], SIZE), torch.zeros(SIZE))


def test_the_box_of_a_group_spans_both_sides():
    assert torch.equal(part_mask(face(), ["eyes"], SIZE, shape="box"), filled((10, 16, 40, 20)))


def test_a_ring_in_a_ring_is_a_hole_but_not_in_the_box():
    lips = Region((ring(16, 40, 34, 52), ring(20, 44, 30, 48)))
    mask = part_mask(face(lips=lips), ["lips"], SIZE)
    assert torch.equal(mask, filled((16, 40, 34, 52)) - filled((20, 44, 30, 48)))
    assert part_mask(face(lips=lips), ["lips"], SIZE, shape="box")[46, 25] == 1


def test_stacked_boxes_follow_each_other_without_gap_or_overlap():
    eyes, nose, mouth = (part_mask(face(), [part], SIZE, shape="stacked boxes") for part in ("eyes", "nose", "mouth"))
    inside = [mask[:, 25].sum() for mask in (eyes, nose, mouth)]
    together = part_mask(face(), ["eyes", "nose", "mouth"], SIZE, shape="stacked boxes")
    assert min(inside) > 0 and sum(inside) == pytest.approx(float(together[:, 25].sum()), abs=1.01)
    assert (together[18:50, 25] >= 0.5).all()


def test_stacked_boxes_know_three_parts_only():
    with pytest.raises(ValueError, match="stacked boxes exist for eyes, nose, mouth only, not for 'left_eye'"):
        part_mask(face(), ["left_eye"], SIZE, shape="stacked boxes")


def test_a_painted_mask_is_feathered_over_the_picture_and_not_over_a_window():
    drawn = torch.rand(9, 7).round()
    mask = part_mask(face(nose=Region(mask=drawn, corner=(20, 25))), ["nose"], SIZE, feather=6.0)
    whole = torch.zeros(1, 1, *SIZE)
    whole[0, 0, 25:34, 20:27] = drawn
    assert torch.allclose(mask, avg_pool2d(whole, 7, 1, 3, count_include_pad=False)[0, 0], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.floats(-6, 12), st.floats(0, 6), st.floats(0, 10), st.sampled_from(SHAPES[:2]), st.booleans())
def test_growing_only_adds(grow, more, feather, shape, painted):
    one_face = face(nose=Region(mask=torch.rand(9, 7).round(), corner=(20, 25))) if painted else face()
    small = part_mask(one_face, ["nose", "mouth"], SIZE, shape=shape, grow=grow, feather=feather)
    large = part_mask(one_face, ["nose", "mouth"], SIZE, shape=shape, grow=grow + more, feather=feather)
    assert (large >= small - 1e-5).all() and 0 <= small.min() and large.max() <= 1


@settings(deadline=None, max_examples=40)
@given(st.floats(1, 10), st.floats(0, 6))
def test_feathering_takes_inside_what_it_gives_outside(feather, more):
    sharp = part_mask(face(), ["mouth"], SIZE)
    soft = part_mask(face(), ["mouth"], SIZE, feather=feather)
    softer = part_mask(face(), ["mouth"], SIZE, feather=feather + more)
    inside = sharp > 0.5
    assert (softer <= soft + 1e-5)[inside].all() and (softer >= soft - 1e-5)[~inside].all()


def test_a_square_grows_and_shrinks_by_as_many_pixels():
    assert torch.equal(part_mask(face(), ["mouth"], SIZE, grow=-2), filled((18, 44, 32, 48)))
    grown = part_mask(face(), ["mouth"], SIZE, grow=4)
    assert (grown[38:54, 16:34] == 1).all() and (grown[42:50, 12:38] == 1).all() and grown[:38].sum() == 0


def test_a_feather_is_half_inside_and_half_outside():
    column = part_mask(face(), ["mouth"], SIZE, feather=6)[:, 25]
    assert 0 < column[40] < 0.5 < column[43] < 1 and column[38] == 0 and column[46] == 1


def test_a_painted_part_keeps_its_soft_edge():
    soft = torch.rand(8, 6)
    mask = part_mask(face(nose=Region(mask=soft, corner=(20, 25))), ["nose"], SIZE)
    assert torch.equal(mask[25:33, 20:26], soft) and mask.sum() == pytest.approx(float(soft.sum()), rel=1e-4)


def test_a_painted_part_grows_shrinks_and_feathers():
    one_face = face(nose=Region(mask=torch.ones(8, 6), corner=(20, 25)))
    assert torch.equal(part_mask(one_face, ["nose"], SIZE, grow=3), filled((17, 22, 29, 36)))
    assert torch.equal(part_mask(one_face, ["nose"], SIZE, grow=-2), filled((22, 27, 24, 31)))
    soft = part_mask(one_face, ["nose"], SIZE, feather=4)
    assert soft[29, 23] == 1 and 0 < soft[29, 19] < 0.5 < soft[29, 20] < 1


@pytest.mark.parametrize(("x", "y"), [(-25, 0), (25, 0), (0, -28), (0, 30)])
def test_a_part_partly_outside_is_cut_at_the_border(x, y):
    whole = part_mask(face(100, 100), ["nose"], (260, 250), grow=3, feather=4)
    mask = part_mask(face(x, y), ["nose"], SIZE, grow=3, feather=4)
    assert 0 < mask.sum() < whole.sum()
    assert torch.allclose(mask, whole[100 - y : 160 - y, 100 - x : 150 - x], atol=1e-4)


@pytest.mark.parametrize("where", [(300, 0), (-300, 0), (0, 300), (0, -300)])
def test_a_part_far_outside_leaves_the_mask_empty(where):
    painted = Region(mask=torch.ones(10, 12), corner=where)
    for one_face in (face(*where), face(nose=painted)):
        assert part_mask(one_face, ["nose"], SIZE, grow=3, feather=8).sum() == 0


@pytest.mark.parametrize("corner", [(52, 20), (-14, 20), (20, 62), (20, -12), (52, 62)])
def test_a_painted_part_just_outside_is_no_trouble(corner):
    one_face = face(nose=Region(mask=torch.ones(10, 12), corner=corner))
    assert part_mask(one_face, ["nose"], SIZE, feather=20).sum() == 0


def test_an_unknown_shape_a_part_that_is_none_and_a_missing_one_are_refused():
    with pytest.raises(ValueError, match="shape is 'oval'; choose one of outline, box, stacked boxes"):
        part_mask(face(), ["nose"], SIZE, shape="oval")
    with pytest.raises(ValueError, match="'chin' is not a part"):
        part_mask(face(), ["chin"], SIZE)
    with pytest.raises(PartMissing, match="this face has no 'hair'"):
        part_mask(face(), ["nose", "hair"], SIZE, shape="box")
    two = FaceParts(torch.zeros(2, *SIZE, 3), ((), (face(),)), (None, 0))
    with pytest.raises(PartMissing, match="^parts, picture 2 of 2: this face has no 'hair'"):
        part_masks(two, ["hair"])


def test_a_picture_of_one_pixel_gets_a_mask_of_one_pixel():
    assert part_mask(face(), ["nose"], (1, 1)).tolist() == [[0]]
    assert part_mask(face(-24, -30), ["nose"], (1, 1)).tolist() == [[1]]


def test_a_painted_part_that_a_crop_cut_off_has_an_empty_mask_in_every_shape():
    cut_off = Face((0, 0, 9, 9), 1.0, regions={"hair": Region(mask=torch.zeros(9, 9))})
    for shape in ("outline", "box"):
        assert not part_mask(cut_off, ["hair"], (9, 9), shape=shape).any()


def test_masks_of_a_batch_take_the_chosen_face_or_everyone_and_are_black_without_one():
    def face(left):
        ring = torch.tensor([[left, 2.0], [left + 4, 2.0], [left + 4, 6.0], [left, 6.0]])
        return Face((left, 2, left + 4, 6), 1.0, regions={"nose": Region((ring,))})

    two = (face(1.0), face(9.0))
    parts = FaceParts(torch.zeros(2, 8, 16, 3), (two, two), (1, None))
    chosen, everyone = part_masks(parts, ["nose"]), part_masks(parts, ["nose"], everyone=True)
    assert chosen[0, 4, 11] == 1 and chosen[0, 4, 3] == 0 and not chosen[1].any()
    assert everyone[0, 4, 3] == everyone[1, 4, 3] == everyone[1, 4, 11] == 1
    assert torch.equal(oval_masks(parts), chosen)
    several = replace(parts, also=((0,), (0,)))
    both = part_masks(several, ["nose"])
    assert torch.equal(both[0], everyone[0]) and not both[1].any() and torch.equal(oval_masks(several), both)
