"""The head swap in pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.given import mask_region
from face_part_fusion.fusion.dilation import dilate_area
from face_part_fusion.fusion.lab import to_lab
from face_part_fusion.fusion.masks import part_mask
from face_part_fusion.fusion.push_pull import fill_holes
from face_part_fusion.fusion.regions.head_swap import TONES, recoloured, swap_head
from face_part_fusion.fusion.regions.layout import FACE, HAIR
from face_part_fusion.fusion.regions.pair import complete_layout, make_layout
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.drawn_people import CLOTH, GROUND, SKIN, drawn_person

PALE, BROWN = SKIN, (0.45, 0.3, 0.22)


def swapped(head, body, tone=TONES[0], **words):
    pair = complete_layout(make_layout(head, body, **words)).pairs[0]
    picture, changed = swap_head(pair, tone)
    return pair, picture, changed


def near(pixels, colour, tolerance=0.06):
    return (pixels - torch.tensor(colour)).abs().amax(-1) < tolerance


def test_the_old_heads_hair_is_gone_from_ground_and_clothes():
    blond = (0.9, 0.8, 0.3)
    _, picture, _ = swapped(drawn_person(), drawn_person(hair_length=2.8, hair=blond), fit="as it is")
    assert not bool(near(picture, blond, 0.15).any())
    assert bool(near(picture[100, 42], GROUND)) and bool(near(picture[210, 50], CLOTH))


def test_outside_of_what_changes_the_picture_is_the_bodys_bit_for_bit():
    body = drawn_person(hair_length=1.0)
    _, picture, changed = swapped(drawn_person(unit=40), body)
    still = changed == 0
    assert 0.3 < float(still.float().mean()) < 0.95 and torch.equal(picture[still], body.pictures[0][still])


@pytest.mark.parametrize("tone", TONES)
def test_a_person_with_their_own_head_is_the_photograph(tone):
    torch.manual_seed(0)
    person = drawn_person(hair_length=1.2, neck_width=1.5)
    person = replace(person, pictures=(person.pictures + 0.05 * torch.randn(person.pictures.shape)).clamp(0, 1))
    _, picture, changed = swapped(person, person, tone)
    assert (picture - person.pictures[0]).abs().max() < 0.01 and float(changed.max()) < 1e-3


def test_the_head_is_its_own_pixels():
    head = drawn_person(hair=(0.5, 0.1, 0.1))
    pair, picture, _ = swapped(head, drawn_person(), fit="as it is")
    sure = (pair.head_areas[HAIR] > 0.99) | (pair.head_areas[FACE] > 0.99)
    assert (picture - pair.head).abs()[sure].max() < 0.02


def test_ground_that_the_parser_takes_for_face_does_not_come_along():
    red, head = (0.8, 0.1, 0.1), drawn_person(ground=(0.8, 0.1, 0.1))
    face = head.face(0)
    wider = {}
    for part in ("head", "skin"):
        area = part_mask(face, (part,), tuple(head.size))
        wider[part] = mask_region(dilate_area(area > 0.5, 2).float())
    head = replace(head, faces=((replace(face, regions={**face.regions, **wider}),),))
    _, picture, _ = swapped(head, drawn_person(), "as they are", fit="as it is")
    assert int(near(picture, red, 0.2).sum()) < 20


def test_a_neck_is_closed_on_both_sides():
    _, picture, _ = swapped(drawn_person(neck_width=1.1), drawn_person(neck_width=1.5))
    for row in range(140, 178, 6):
        assert near(picture[row, 78:122], SKIN, 0.1).float().mean() > 0.9


@pytest.mark.parametrize(("tone", "neck", "face"), [
    ("neck follows face", BROWN, BROWN), ("face follows neck", PALE, PALE), ("as they are", PALE, BROWN),
])  # fmt: skip
def test_skin_tones_follow_one_another_as_chosen(tone, neck, face):
    _, picture, _ = swapped(drawn_person(skin=BROWN), drawn_person(skin=PALE), tone)
    assert bool(near(picture[100, 100], face, 0.08)) and bool(near(picture[176, 100], neck, 0.08))


def test_half_way_lies_between():
    _, picture, _ = swapped(drawn_person(skin=BROWN), drawn_person(skin=PALE), "half way")
    for row in (100, 176):
        assert BROWN[0] + 0.05 < float(picture[row, 100, 0]) < PALE[0] - 0.05


def test_a_white_collar_stays_white_where_a_neck_takes_another_tone():
    """Parsers call a little of it neck."""
    picture = torch.tensor(SKIN).expand(12, 12, 3).clone()
    picture[:, 6:] = torch.tensor([[0.95, 0.95, 0.95], [0.5, 0.5, 0.5]])[torch.arange(12) // 6][:, None]
    skin, goal = (to_lab(torch.tensor(colour)) for colour in (SKIN, BROWN))
    toned = recoloured(picture, skin, goal, torch.ones(12, 12))
    assert bool(near(toned[:, :6], BROWN, 0.01).all())
    assert float((toned[:, 6:].amax(-1) - toned[:, 6:].amin(-1)).max()) < 0.02 and float(toned[0, 8, 0]) > 0.85
    assert torch.equal(recoloured(picture, skin, skin, torch.ones(12, 12)), picture)


def test_another_tone_is_refused():
    with pytest.raises(ValueError, match="tone is 'x'"):
        swapped(drawn_person(), drawn_person(), "x")


def test_a_head_larger_than_the_frame_is_cut_and_nothing_turns_black():
    _, picture, _ = swapped(drawn_person(), drawn_person(y=50, unit=75))
    assert float(picture.amax(-1).min()) > 0.02 and bool(torch.isfinite(picture).all())


@settings(deadline=None, max_examples=40)
@given(
    picture=arrays("float32", (7, 9, 3), elements=st.floats(0.25, 1, width=32)),
    known=arrays("float32", (7, 9), elements=st.sampled_from([0.0, 1.0])),
)
def test_a_hole_takes_its_colours_from_what_is_known(picture, known):
    picture, known = torch.from_numpy(picture), torch.from_numpy(known)
    filled = fill_holes(picture, known)
    assert torch.allclose(filled[known == 1], picture[known == 1], atol=1e-6)
    if known.any():
        low, high = picture[known == 1].amin(0), picture[known == 1].amax(0)
        assert bool((filled >= low - 1e-4).all()) and bool((filled <= high + 1e-4).all())
    else:
        assert torch.equal(filled, picture)
