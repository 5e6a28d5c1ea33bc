"""A photograph of one tone stays one, whatever is laid into it."""

import pytest
import torch
from face_part_fusion.fusion.lab import to_lab, to_rgb
from face_part_fusion.fusion.monochrome import in_tone, tone_of
from hypothesis import given
from hypothesis import strategies as st
from support.drawn_faces import fuse, gives, person

TONES = [(0.0, 0.0), (4.0, 14.0), (-2.0, -16.0)]


def toned(picture, a, b):
    """`picture` (..., 3) RGB in one colour, strongest at middle lightness, as toned prints are."""
    lightness = 15 + 0.7 * to_lab(picture)[..., 0]
    strength = 4 * (lightness / 100) * (1 - lightness / 100)
    return to_rgb(torch.stack([lightness, a * strength, b * strength], -1))


@pytest.mark.parametrize("tone", TONES)
def test_parts_in_colour_take_the_tone_of_the_target(tone):
    target, pictures = person(0), toned(person(0).pictures, *tone)
    result = fuse(target, [gives(person(5), "eyes", "nose", "mouth")], image=pictures)
    curve = tone_of(pictures[0])
    lab = to_lab(result.pictures[0])
    assert bool((result.changed > 0).any())
    assert float((lab[..., 1:] - in_tone(lab[..., 0], curve)).abs().max()) < 2


def test_at_tone_0_parts_keep_their_own_colour_in_a_monochrome():
    target = person(0)
    grey = toned(target.pictures, 0, 0)
    result = fuse(target, [gives(person(5), "mouth")], image=grey, tone=0.0)
    assert float(to_lab(result.pictures[0])[..., 1:].abs().max()) > 5


@given(st.integers(0, 5), st.sampled_from(TONES))
def test_a_toned_picture_has_a_tone_and_the_same_in_colour_has_none(seed, tone):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.rand(20, 20, 3, generator=generator)
    assert tone_of(toned(picture, *tone)) is not None and tone_of(picture) is None


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_picture_of_one_value_has_the_tone_of_that_value(value):
    curve = tone_of(torch.full((8, 8, 3), value))
    assert curve is not None and float(curve.abs().max()) < 0.1
