import pytest
import torch
from face_part_fusion.fusion.pyramid import pyramid_blend
from hypothesis import given, settings
from hypothesis import strategies as st

sizes, levels = st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(0, 7)


def noise(size, channels=3, seed=0):
    return torch.rand(*size, channels, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=40)
@given(sizes, levels)
def test_equal_pictures_come_back_unchanged_under_any_mask(size, depth):
    picture = noise(size)
    assert torch.allclose(pyramid_blend(picture, picture, noise(size, 1)[..., 0], depth), picture, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(sizes, levels)
def test_a_white_mask_gives_the_inner_picture_and_a_black_one_the_outer(size, depth):
    inner, outer = noise(size), noise(size, seed=1)
    assert torch.allclose(pyramid_blend(inner, outer, torch.ones(size), depth), inner, atol=1e-5)
    assert torch.allclose(pyramid_blend(inner, outer, torch.zeros(size), depth), outer, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(sizes, levels)
def test_an_even_mask_is_an_even_mix_at_every_level(size, depth):
    inner, outer = noise(size), noise(size, seed=1)
    mixed = pyramid_blend(inner, outer, torch.full(size, 0.25), depth)
    assert torch.allclose(mixed, torch.lerp(outer, inner, 0.25), atol=1e-5)


def test_no_level_is_plain_mixing():
    inner, outer, mask = noise((9, 7)), noise((9, 7), seed=1), noise((9, 7), 1)[..., 0]
    assert torch.allclose(pyramid_blend(inner, outer, mask, 0), torch.lerp(outer, inner, mask[..., None]), atol=1e-6)


def test_tone_changes_hands_more_slowly_than_detail():
    mask = torch.zeros(64, 64)
    mask[:, 32:] = 1
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    tone = pyramid_blend(torch.ones(64, 64, 1), torch.zeros(64, 64, 1), mask, 4)[32, :, 0]
    board = ((rows + columns) % 2).float()[..., None] - 0.5
    detail = pyramid_blend(board, torch.zeros(64, 64, 1), mask, 4)[32, :, 0].abs() * 2
    assert tone[22] > 0.1 > 0.02 > detail[22] and tone[41] < 0.9 < 0.98 < detail[41]
    assert (tone.diff() > -1e-3).all()


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_number_of_channels_is_blended(channels):
    inner, outer = noise((8, 8), channels), noise((8, 8), channels, 1)
    assert torch.allclose(pyramid_blend(inner, outer, torch.ones(8, 8), 2), inner, atol=1e-5)


def test_the_inputs_are_not_changed():
    inner, outer, mask = noise((12, 12)), noise((12, 12), seed=1), torch.ones(12, 12)
    copies = [t.clone() for t in (inner, outer, mask)]
    pyramid_blend(inner, outer, mask, 3)
    assert all(torch.equal(a, b) for a, b in zip((inner, outer, mask), copies, strict=True))
