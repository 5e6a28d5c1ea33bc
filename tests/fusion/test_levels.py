"""Darks, lights and whites of a part follow those of the target's own part."""

import pytest
import torch
from face_part_fusion.fusion.levels import match_colours, match_levels, shade_of_eye
from face_part_fusion.fusion.whites import match_whites

SKIN = torch.tensor([60.0, 15.0, 18.0]).expand(20, 20, 3)
PART = torch.zeros(20, 20, dtype=torch.bool)
PART[5:15, 5:15] = True


def eye(dark, light):
    """Skin with a part whose lightness climbs evenly from `dark` to `light` steps of L beside the skin's."""
    picture = SKIN.clone()
    picture[5:15, 5:15, 0] += torch.linspace(dark, light, 100).view(10, 10)
    return picture


def ends(picture):
    difference = (picture - SKIN)[..., 0][PART]
    return float(difference.min()), float(difference.max())


def test_a_black_eye_becomes_as_dark_and_as_light_as_the_targets():
    moved = match_levels(eye(-58, -10), eye(-40, 8), SKIN, PART, PART, weaker_only=False)
    assert ends(moved) == pytest.approx((-40, 8), abs=3)
    assert (moved[..., 0][PART].diff() >= 0).all()


def test_the_same_levels_change_nothing():
    same = eye(-40, 8)
    assert torch.allclose(match_levels(same, same, SKIN, PART, PART, weaker_only=False), same, atol=1e-4)


def test_shades_of_skin_are_weakened_and_never_strengthened():
    soft, hard = eye(-10, 5), eye(-30, 15)
    assert ends(match_levels(soft, hard, SKIN, PART, PART, weaker_only=True)) == pytest.approx((-10, 5), abs=0.1)
    assert ends(match_levels(soft, hard, SKIN, PART, PART, weaker_only=False))[0] < -18
    assert ends(match_levels(hard, soft, SKIN, PART, PART, weaker_only=True))[0] > -25


def test_a_lifted_shadow_on_skin_takes_the_colour_of_the_skin():
    grey = eye(-50, 0)
    grey[..., 1:][PART] = 0.0
    moved = match_levels(grey, eye(-8, 0), SKIN, PART, PART, weaker_only=True)
    assert moved[5, 5, 1] > 5 and moved[5, 5, 1] > moved[14, 14, 1]


def test_a_part_of_which_nothing_is_seen_stays():
    nothing = torch.zeros_like(PART)
    for match in (lambda *a: match_levels(*a, weaker_only=False), match_whites):
        assert torch.equal(match(eye(-50, 0), eye(-20, 0), SKIN, nothing, PART), eye(-50, 0))


def test_an_eye_in_deep_shadow_is_darker_than_skin_by_its_white():
    assert shade_of_eye(eye(-58, -45), SKIN, PART.float()) < 0.3
    assert shade_of_eye(eye(-40, 10), SKIN, PART.float()) > 0.8
    assert shade_of_eye(eye(-58, -45), SKIN, torch.zeros(20, 20)) == 1


def teeth(*lab):
    picture = eye(-10, 0)
    picture[8:12, 5:15] = torch.tensor(lab)
    return picture


def test_blue_teeth_take_the_warmth_of_the_targets_and_lips_keep_their_colour():
    blue, warm = teeth(75.0, -2.0, -6.0), teeth(68.0, 2.0, 8.0)
    matched = match_whites(blue, warm, SKIN, PART, PART)
    assert matched[10, 10, 2] > 2 and 68 < matched[10, 10, 0] < 75
    assert torch.equal(matched[6, 6], blue[6, 6])


def test_whites_stay_where_the_target_shows_none():
    blue = teeth(75.0, -2.0, -6.0)
    assert torch.equal(match_whites(blue, eye(-10, 0), SKIN, PART, PART), blue)


def shaded(lightness, *colour):
    """Skin with a part that gets darker and lighter by `lightness` from row to row, and by `colour` in a and b."""
    picture = SKIN.clone()
    steps = torch.linspace(-1, 1, 10)[:, None, None]
    picture[5:15, 5:15] += steps * torch.tensor([lightness, *colour])
    return picture


def matched(reference, target):
    return match_colours(reference, target, SKIN, PART.float(), unit=40)


def test_shades_take_the_colours_of_the_targets_shades():
    warm, grey = shaded(10.0, 3.0, 4.0), shaded(10.0, -6.0, -8.0)
    before, after = ((one - warm)[PART][:, 1:].abs().mean() for one in (grey, matched(grey, warm)))
    assert after < 0.6 * before
    assert torch.equal(matched(grey, warm)[..., 0], grey[..., 0])
    assert torch.equal(matched(grey, warm)[~PART], grey[~PART])


def test_shades_of_the_targets_own_colours_stay():
    warm = shaded(10.0, 3.0, 4.0)
    assert torch.allclose(matched(warm, warm), warm, atol=1e-4)
    assert torch.allclose(matched(shaded(5.0, 1.5, 2.0), warm), shaded(5.0, 1.5, 2.0), atol=0.2)


def test_a_spot_of_the_targets_own_stays_to_the_bit():
    spotted = shaded(10.0, 3.0, 4.0)
    spotted[9:11, 9:11, 1] += 40
    assert torch.equal(matched(spotted, spotted), spotted)


def test_a_patch_of_another_colour_is_weakened_and_its_texture_stays():
    red = SKIN.clone()
    red[5:15, 5:15, 1] += 12
    speckled = red.clone()
    speckled[5:15:2, 5:15:2, 1] += 1
    plain = shaded(10.0, 3.0, 4.0)
    assert (matched(red, plain) - SKIN)[PART][:, 1].mean() < 8
    texture = (matched(speckled, plain) - matched(red, plain))[5:15:2, 5:15:2, 1]
    assert (texture > 0.5).all()


def test_a_nose_of_which_nothing_is_seen_keeps_its_colours():
    grey, nothing = shaded(10.0, -6.0, -8.0), torch.zeros(20, 20)
    assert torch.equal(match_colours(grey, SKIN, SKIN, nothing, unit=40), grey)
