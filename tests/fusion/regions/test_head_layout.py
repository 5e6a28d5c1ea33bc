"""Layouts, masks and completion of two people."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.given import mask_region
from face_part_fusion.detectors.parts import FaceParts, PartMissing
from face_part_fusion.fusion.masks import part_mask
from face_part_fusion.fusion.regions.layout import BACKGROUND, BODY, CLASSES, FACE, HAIR, NECK, drawn, mixing_masks
from face_part_fusion.fusion.regions.neck import ByHand
from face_part_fusion.fusion.regions.pair import complete_layout, make_layout
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.drawn_people import CLOTH, SIZE, drawn_person, joined

SOFT = arrays("float32", (5, 4, 6), elements=st.floats(0, 1, width=32))


def shares(values):
    areas = torch.from_numpy(values) + 1e-3
    return areas / areas.sum(0)


def mask_of(person, part):
    return part_mask(person.face(0), (part,), SIZE)


@settings(deadline=None)
@given(head=SOFT, body=SOFT, keep=st.booleans(), inside=arrays("float32", (4, 6), elements=st.sampled_from([0.0, 1.0])))
def test_masks_are_disjoint_and_cover_everything_with_the_transition(head, body, keep, inside):
    layout = shares(head) * torch.from_numpy(inside)
    masks = torch.stack(mixing_masks(layout, shares(body), keep))
    assert bool((masks >= -1e-6).all()) and torch.allclose(masks.sum(0), torch.ones(4, 6), atol=1e-5)
    sure = layout[HAIR] + layout[FACE] > 1 - 1e-6
    assert bool((masks[1][sure] < 1e-5).all())


@settings(deadline=None, max_examples=6)
@given(x=st.floats(70, 130), y=st.floats(60, 100), unit=st.floats(30, 60), hair=st.floats(0, 2.5), keep=st.booleans(),
       hairs=st.sampled_from(["head's", "body's"]), hat=st.sampled_from(["head's", "none"]))  # fmt: skip
def test_of_two_people_too_however_they_stand(x, y, unit, hair, keep, hairs, hat):
    layout = make_layout(
        drawn_person(x, y, unit, hair_length=hair),
        drawn_person(hair_length=1.0),
        hair=hairs,
        hat=hat,
        keep_background=keep,
    )
    masks = torch.stack(layout.masks())
    assert bool((masks > -1e-5).all()) and torch.allclose(masks.sum(0), torch.ones(1, *SIZE), atol=1e-4)
    for areas in (layout.pairs[0].areas, complete_layout(layout).pairs[0].areas):
        assert bool((areas > -1e-5).all()) and torch.allclose(areas.sum(0), torch.ones(SIZE), atol=1e-4)


def test_a_neck_is_in_neither_mask_and_the_old_head_is_transition():
    layout = make_layout(drawn_person(), drawn_person(hair_length=2.6), fit="as it is")
    head, body, rest = (mask[0] for mask in layout.masks())
    pair = layout.pairs[0]
    neck = pair.body_areas[NECK] > 0.9
    assert bool(neck.any()) and bool((rest[neck & (head < 0.1)] > 0.9).all())
    old_hair = (pair.body_areas[HAIR] > 0.9) & (head < 0.1)
    assert bool(old_hair.any()) and bool((rest[old_hair] > 0.9).all())
    assert bool((body[pair.body_areas[BODY] > 0.95] > 0.9).all())


def test_the_background_is_the_models_as_in_the_paper_or_stays():
    people = drawn_person(), drawn_person()
    corner = (0, 5, 5)
    assert make_layout(*people).masks()[1][corner] == 1
    assert make_layout(*people, keep_background=False).masks()[2][corner] == 1


def test_a_white_collar_is_body_though_the_parser_calls_it_neck():
    person = drawn_person(cloth=(0.95, 0.95, 0.97))
    face = person.face(0)
    both = torch.zeros(SIZE)
    for part in ("neck", "body"):
        region = face.regions[part]
        x, y = region.corner
        both[y : y + region.mask.shape[0], x : x + region.mask.shape[1]] += region.mask
    collar = replace(face.regions["neck"], mask=both, corner=(0, 0))
    face = replace(face, regions={**face.regions, "neck": collar, "body": replace(collar, mask=both * 0)})
    pair = make_layout(drawn_person(), replace(person, faces=((face,),))).pairs[0]
    assert pair.body_areas[BODY][230, 20] > 0.95 and pair.body_areas[NECK][172, 100] > 0.95


def test_shoulders_run_on_under_long_hair_and_the_neck_down_to_the_collar():
    layout = complete_layout(make_layout(drawn_person(), drawn_person(hair_length=2.8), fit="as it is"))
    areas = layout.pairs[0].areas
    assert areas[HAIR][205:, :60].max() < 0.05
    hidden = (slice(200, 215), slice(45, 60))
    assert layout.pairs[0].body_areas[HAIR][hidden].mean() > 0.9 and areas[BODY][hidden].mean() > 0.9
    assert areas[NECK][166:176, 75:125].mean() > 0.9
    assert areas[BACKGROUND][100, 45] > 0.9 > layout.pairs[0].body_areas[BACKGROUND][100, 45]


def test_the_bodys_hair_and_no_hat_may_stay():
    head, body = drawn_person(), drawn_person(hair_length=2.0, hair=(0.9, 0.8, 0.3))
    pair = make_layout(head, body, hair="body's").pairs[0]
    kept = pair.body_areas[HAIR] > 0.95
    assert bool((pair.masks()[1][kept] > 0.9).all()) and float(pair.head_areas[HAIR].max()) < 0.05


def test_a_hat_comes_along_stays_or_goes():
    def hatted(person):
        face = person.face(0)
        region = face.regions["head"]
        mask = torch.zeros(SIZE)
        x, y = region.corner
        mask[y : y + region.mask.shape[0], x : x + region.mask.shape[1]] = region.mask
        mask[5:30, 60:140] = 1
        return replace(
            person,
            faces=((replace(face, regions={**face.regions, "head": replace(region, mask=mask, corner=(0, 0))}),),),
        )

    spot = (7, 100)
    own = make_layout(hatted(drawn_person()), drawn_person(), fit="as it is")
    assert own.masks()[0][0][spot] == 1
    assert make_layout(hatted(drawn_person()), drawn_person(), fit="as it is", hat="none").masks()[0][0][spot] == 0
    kept = make_layout(drawn_person(), hatted(drawn_person()), fit="as it is", hat="body's")
    assert kept.masks()[1][0][spot] == 1


def test_a_batch_of_heads_on_one_body_and_counts_that_differ():
    heads = joined(drawn_person(), drawn_person(x=90))
    layout = make_layout(heads, drawn_person())
    assert len(layout.pairs) == 2 and layout.drawn(((0, 0, 0),) * len(CLASSES)).shape == (2, *SIZE, 3)
    with pytest.raises(ValueError, match="head has 2 pictures and body 3"):
        make_layout(heads, joined(*[drawn_person()] * 3))


def test_pictures_of_other_sizes_fit():
    pair = make_layout(drawn_person(120, 90, 60, size=(300, 260)), drawn_person()).pairs[0]
    assert pair.head.shape == (*SIZE, 3) and pair.masks()[0].sum() > 1000


def test_what_is_missing_is_an_error_that_names_the_input():
    plain = drawn_person()
    nobody = FaceParts(plain.pictures, ((),), (None,))
    with pytest.raises(ValueError, match="head: picture 1 of 1 has no face"):
        make_layout(nobody, plain)
    unparsed = replace(plain.face(0), regions={"skin": plain.face(0).regions["skin"]})
    with pytest.raises(PartMissing, match="^body: this face has no 'head'"):
        make_layout(plain, replace(plain, faces=((unparsed,),)))
    with pytest.raises(ValueError, match="body: neither neck nor shoulders are visible"):
        make_layout(plain, drawn_person(shoulders=False))
    with pytest.raises(ValueError, match="hair is 'x'"):
        make_layout(plain, plain, hair="x")


def test_the_report_says_what_does_not_suit():
    plain = drawn_person()
    assert make_layout(plain, plain).report() == "head and body suit each other"
    turned = make_layout(drawn_person(yaw=40), plain).report()
    assert "differ by 40 degrees sideways; this will not look right" in turned
    outside = make_layout(plain, plain, by_hand=ByHand(x=1.5)).report()
    assert "% of the head lies outside the body's picture" in outside
    assert "cut off by the border of its own picture" in make_layout(drawn_person(y=30), plain).report()
    assert "enlarged 1.7 times" in make_layout(drawn_person(unit=30), plain).report()


def test_the_report_says_where_the_picture_is_a_guess():
    plain, long_hair = drawn_person(), drawn_person(hair_length=2.8)
    assert "hides neck or shoulders that the new head does not cover" in make_layout(plain, long_hair).report()
    assert "hides neck" not in make_layout(long_hair, long_hair).report()
    assert "hides neck" not in make_layout(plain, long_hair, hair="body's").report()
    far = make_layout(plain, plain, by_hand=ByHand(y=0.8)).report()
    assert "reaches far beyond the new one; the background there is a guess" in far


@pytest.mark.parametrize("whose", ["head", "body"])
def test_the_report_names_what_covers_a_face(whose):
    plain = drawn_person()
    hand = replace(plain.face(0), covered={"skin": {"something in front": 0.2}})
    covered = replace(plain, faces=((hand,),))
    people = {"head": plain, "body": plain} | {whose: covered}
    assert f"something covers the {whose}'s face, a hand or a microphone" in make_layout(**people).report()


def test_a_childs_head_grows_to_the_bodys_size_and_the_report_says_that_it_blurs():
    layout = make_layout(drawn_person(unit=28), drawn_person())
    assert layout.pairs[0].head_neck.unit == pytest.approx(50, rel=0.05)
    assert "the head is enlarged 1.8 times and will look blurred" in layout.report()


def test_a_head_larger_than_the_bodys_frame_is_cut_and_the_report_says_so():
    layout = make_layout(drawn_person(), drawn_person(y=20, unit=70))
    assert "of the head lies outside the body's picture" in layout.report()


def test_a_neighbour_keeps_head_and_hair():
    """Their head hangs together with that of the chosen person."""
    person = drawn_person(x=60.0, unit=40, hair_length=0.5)
    other = drawn_person(x=150.0, unit=40, hair_length=0.5)
    both = {
        name: mask_region((mask_of(person, name) + mask_of(other, name)).clamp(max=1))
        for name in ("hair", "head", "neck", "body")
    }
    face = replace(person.face(0), regions={**person.face(0).regions, **both})
    body = replace(person, faces=((face, other.face(0)),))
    pair = complete_layout(make_layout(drawn_person(), body)).pairs[0]
    theirs = (mask_of(other, "head") > 0.5) & (torch.arange(SIZE[1]) > 125)
    assert int(theirs.sum()) > 500 and bool((pair.body_areas[BACKGROUND][theirs] > 0.9).all())
    assert bool((pair.masks()[1][theirs & (pair.head_areas[[HAIR, FACE]].sum(0) < 0.01)] > 0.9).all())


def test_a_layout_is_drawn_in_the_colours_of_its_classes():
    areas = torch.eye(5)[:, None]
    assert (drawn(areas)[0] * 255).round().int().tolist()[1:3] == [[0, 0, 128], [128, 0, 128]]


def test_cloth_is_not_skin():
    assert make_layout(drawn_person(cloth=CLOTH), drawn_person()).pairs[0].head_areas[NECK].max() > 0.9


def test_a_person_with_their_own_head_keeps_all_of_the_neck():
    """A neck wider than the rule's band, and its sides beside the jaw, come back."""
    person = drawn_person(neck_width=1.7)
    pair = complete_layout(make_layout(person, person, fit="as it is")).pairs[0]
    neck = (pair.body_areas[NECK] > 0.5) & (pair.head_areas[[HAIR, FACE]].sum(0) < 0.1)
    lost = neck & (pair.areas[NECK] < 0.5)
    assert int(neck.sum()) > 100 and int(lost.sum()) < 0.02 * int(neck.sum())
