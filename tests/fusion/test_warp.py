import math

import pytest
import torch
from face_part_fusion.fusion.warp import warp_window
from hypothesis import given, settings
from hypothesis import strategies as st

IDENTITY = torch.eye(2, 3, dtype=torch.float64)


def noise(height=20, width=26, channels=3):
    return torch.rand(height, width, channels, generator=torch.Generator().manual_seed(1))


def positions(side):
    """A picture that holds in every pixel where that pixel lies."""
    rows, columns = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    return torch.stack([columns, rows], -1)


def affine(scale=1.0, x=0.0, y=0.0, turn=0.0):
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return torch.tensor([[c, -s, x], [s, c, y]], dtype=torch.float64)


def test_the_identity_gives_the_picture_back():
    picture = noise()
    pixels, inside = warp_window(picture, IDENTITY, (0, 0, 26, 20))
    assert torch.allclose(pixels, picture, atol=1e-5) and (inside == 1).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 20), st.integers(0, 15), st.integers(1, 6), st.integers(1, 5))
def test_a_window_is_the_same_pixels_of_the_whole(x, y, width, height):
    picture = noise()
    pixels, _ = warp_window(picture, IDENTITY, (x, y, x + width, y + height))
    assert torch.allclose(pixels, picture[y : y + height, x : x + width], atol=1e-5)


def test_whole_pixels_are_shifted_exactly_and_the_mask_shows_what_the_picture_reaches():
    picture = noise()
    pixels, inside = warp_window(picture, affine(x=5, y=3), (0, 0, 26, 20))
    assert torch.allclose(pixels[3:, 5:], picture[:-3, :-5], atol=1e-5)
    assert (inside[3:, 5:] == 1).all() and (inside[:3] == 0).all() and (inside[:, :5] == 0).all()


def test_the_border_is_repeated_outside():
    picture = noise()
    pixels, inside = warp_window(picture, IDENTITY, (-4, 0, 0, 20))
    assert torch.allclose(pixels, picture[:, :1].expand(20, 4, 3), atol=1e-5) and (inside == 0).all()


def test_a_quarter_turn_is_exact():
    picture = noise(20, 20)
    pixels, inside = warp_window(picture, affine(turn=math.pi / 2, x=20), (0, 0, 20, 20))
    # A point (x, y) goes to (20 - y, x): what was the left column becomes the top row.
    assert torch.allclose(pixels, picture.flip(0).transpose(0, 1), atol=1e-4)
    assert inside[1:-1, 1:-1].all()


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.11])
def test_a_fine_checkerboard_becomes_grey_when_it_shrinks(scale):
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    board = ((rows + columns) % 2).float()[..., None]
    side = int(96 * scale)
    pixels, _ = warp_window(board, affine(scale), (0, 0, side, side))
    assert (pixels[2:-2, 2:-2] - 0.5).abs().max() < 0.05


def test_shrinking_and_growing_keep_the_mean_and_the_place():
    ramp = torch.linspace(0, 1, 64)[None, :, None].expand(64, 64, 1)
    for scale in (0.3, 3.0):
        side = int(64 * scale)
        pixels, _ = warp_window(ramp, affine(scale), (0, 0, side, side))
        positions = ((torch.arange(side) + 0.5) / scale - 0.5) / 63
        middle = slice(side // 5, -side // 5)
        assert (pixels[side // 2, middle, 0] - positions[middle]).abs().max() < 0.01


def test_a_bend_between_equal_landmarks_is_the_identity():
    picture, points = noise(), torch.tensor([[3.0, 4], [20, 5], [12, 15]])
    pixels, inside = warp_window(picture, IDENTITY, (2, 1, 25, 19), (points, points))
    assert torch.allclose(pixels, picture[1:19, 2:25], atol=1e-4) and (inside == 1).all()


def test_a_bend_takes_every_landmark_to_its_place():
    there = torch.tensor([[20.0, 20], [60, 18], [40, 44], [24, 62], [58, 60]])
    here = there + torch.tensor([[3.0, -2], [-2, 2], [0, 5], [4, 0], [1, -4]])
    pixels, _ = warp_window(positions(80), IDENTITY, (0, 0, 80, 80), (there, here))
    for (x, y), expected in zip((here - 0.5).round().int().tolist(), there, strict=True):
        assert (pixels[y, x] - expected).norm() < 1.0


def test_a_bend_does_not_depend_on_the_window():
    there = torch.tensor([[10.0, 12], [45, 9], [30, 50]])
    here = there + torch.tensor([[2.0, 1], [-3, 2], [1, -2]])
    whole, _ = warp_window(positions(60), IDENTITY, (0, 0, 60, 60), (there, here))
    part, _ = warp_window(positions(60), IDENTITY, (13, 5, 41, 37), (there, here))
    assert (part - whole[5:37, 13:41]).abs().max() < 0.4


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_tiny_pictures_and_windows_far_outside_are_no_trouble(size):
    picture = noise(*size)
    for matrix in (IDENTITY, affine(4), affine(0.2)):
        pixels, inside = warp_window(picture, matrix, (100, -50, 104, -47))
        assert pixels.shape == (3, 4, 3) and torch.isfinite(pixels).all() and (inside == 0).all()
        assert warp_window(picture, matrix, (0, 0, 1, 1))[0].shape == (1, 1, 3)


def test_a_mask_of_one_channel_is_resampled_like_a_picture():
    pixels, _ = warp_window(noise(channels=1), affine(0.5), (0, 0, 13, 10))
    assert pixels.shape == (10, 13, 1)
