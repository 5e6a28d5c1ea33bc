import pytest
import torch
from face_part_fusion.fusion.sharpness import match_sharpness, texture
from hypothesis import given, settings
from hypothesis import strategies as st

ONES = torch.ones(48, 48)


def grain(strength=3.0, seed=0):
    return 60 + strength * torch.randn(48, 48, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 9), st.floats(-100, 100))
def test_texture_grows_with_the_detail_whatever_the_lightness(times, shift):
    assert texture(times * grain() + shift, ONES) == pytest.approx(times * texture(grain(), ONES), abs=1e-3)


def test_broad_light_is_no_texture_but_for_its_ends():
    ramp = torch.linspace(0, 100, 48).expand(48, 48)
    inside = torch.zeros(48, 48)
    inside[:, 1:-1] = 1
    assert texture(ramp, inside) < 1e-3 < texture(grain(), inside)


def test_only_weighted_pixels_count():
    weights = torch.zeros(48, 48)
    weights[:, :20] = 1
    half = grain()
    half[:, 24:] = grain(40)[:, 24:]
    assert texture(half, weights) == pytest.approx(texture(grain(), weights), rel=1e-3)
    assert texture(half, torch.zeros(48, 48)) == 0


@pytest.mark.parametrize("ratio", [0.78, 1.0, 1.29])
def test_textures_that_are_alike_stay_bit_for_bit(ratio):
    assert torch.equal(match_sharpness(grain(), ratio, 2.0), grain())


@pytest.mark.parametrize("ratio", [1.6, 3.0, 20.0])
def test_a_part_sharper_than_the_target_is_softened_towards_it(ratio):
    before = grain()
    after = texture(match_sharpness(before, ratio, texture(before, ONES) / ratio), ONES)
    goal = texture(before, ONES) / ratio
    assert after < texture(before, ONES) and abs(after - goal) < abs(texture(before, ONES) - goal)


@pytest.mark.parametrize("ratio", [0.7, 0.4, 0.0])
def test_a_part_softer_than_the_target_is_grained_towards_it_and_no_further(ratio):
    fine = 1.5
    before = grain(1.0, seed=1)
    before = 60 + (before - 60) * ratio * fine / texture(before, ONES)
    after = match_sharpness(before, ratio, fine)
    assert texture(before, ONES) < texture(after, ONES) < fine
    assert (after - before).mean().abs() < 0.1


def test_grain_is_never_so_strong_that_it_shows_as_noise():
    assert (match_sharpness(torch.full((48, 48), 50.0), 0.0, 30.0) - 50).std() < 1.6


def test_grain_is_the_same_each_time_and_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    once, twice = (match_sharpness(torch.full((48, 48), 50.0), 0.2, 2.0) for _ in range(2))
    assert torch.equal(once, twice) and torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 2)])
def test_pictures_of_a_few_pixels_are_no_trouble(size):
    few = torch.full(size, 50.0)
    for ratio in (0.1, 1.0, 9.0):
        assert match_sharpness(few, ratio, 1.0).shape == size and texture(few, torch.ones(size)) == 0
