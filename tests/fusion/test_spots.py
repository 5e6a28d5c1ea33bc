"""Freckles and rough skin of a reference end nowhere: they are no stronger than the target's."""

import torch
from face_part_fusion.fusion.spots import clear_spots

UNIT, SHAPE = 100.0, (80, 120)
ONES = torch.ones(SHAPE)


def skin(freckle=0.0, seed=0, size=3, pitch=10):
    """Skin with grain, and every `pitch` pixels a brown freckle of `size` pixels, `freckle` steps of L dark."""
    picture = torch.tensor([62.0, 14.0, 18.0]) + 0.3 * torch.randn(
        *SHAPE, 3, generator=torch.Generator().manual_seed(seed)
    )
    rows, columns = (torch.arange(length) % pitch < size for length in SHAPE)
    picture[rows[:, None] & columns] += freckle * torch.tensor([-1.0, 0.4, 0.6])
    return picture


def depth(picture, channel=0, size=3, pitch=10):
    middle, between = size // 2, (size + pitch) // 2
    spots, clear = (picture[at::pitch, at::pitch, channel].mean() for at in (middle, between))
    return abs(float(spots - clear))


def test_freckles_fade_on_a_face_without_any_and_their_colour_goes_with_them():
    clear = clear_spots(skin(12), skin(0, seed=1), ONES, UNIT, 1.0)
    assert depth(clear) < 0.45 * depth(skin(12)) and depth(clear, 2) < 0.45 * depth(skin(12), 2)


def test_freckles_stay_on_a_face_that_has_as_many():
    many = {"size": 5, "pitch": 7}
    freckled = skin(12, seed=1, **many).roll((3, 3), (0, 1))
    assert depth(clear_spots(skin(12, **many), freckled, ONES, UNIT, 1.0), **many) > 0.65 * depth(
        skin(12, **many), **many
    )


def test_amount_0_and_what_is_not_skin_stay():
    assert torch.equal(clear_spots(skin(12), skin(0, seed=1), ONES, UNIT, 0.0), skin(12))
    assert torch.equal(clear_spots(skin(12), skin(0, seed=1), 0 * ONES, UNIT, 1.0), skin(12))
    left = ONES.clone()
    left[:, 60:] = 0
    assert torch.equal(clear_spots(skin(12), skin(0, seed=1), left, UNIT, 1.0)[:, 64:], skin(12)[:, 64:])
