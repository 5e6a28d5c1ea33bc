"""Resampling: crops and their inverse, pixel centres, turned faces, and no aliasing."""

from __future__ import annotations

import math

import pytest
import torch
from face_part_fusion.detectors import crops
from hypothesis import given, settings
from hypothesis import strategies as st

SQUARES = st.tuples(
    st.floats(-500, 5000), st.floats(-500, 5000), st.floats(1, 4000), st.floats(-math.pi, math.pi)
)  # fmt: skip


def ramp(height: int, width: int) -> torch.Tensor:
    """A picture (3, H, W) whose first two channels are the x and y of the pixel's middle."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack((x, y, torch.zeros_like(x)))


@settings(max_examples=60, deadline=None)
@given(SQUARES, st.sampled_from((64, 192)))
def test_points_come_back_from_a_crop(square: tuple[float, ...], size: int) -> None:
    squares = torch.tensor([square], dtype=torch.float64)
    points = torch.rand(1, 7, 2, dtype=torch.float64) * size
    back = crops.to_crop(crops.to_picture(points, squares, size), squares, size)
    torch.testing.assert_close(back, points, atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(st.floats(45, 55), st.floats(45, 55), st.floats(4, 40), st.floats(-math.pi, math.pi))
def test_a_crop_shows_the_pixels_that_its_points_name(x: float, y: float, side: float, angle: float) -> None:
    square = torch.tensor([x, y, side, angle])
    crop = crops.crop(ramp(100, 100), square, 16)
    middles = ramp(16, 16)[:2].permute(1, 2, 0).reshape(1, -1, 2)
    expected = crops.to_picture(middles, square[None], 16)[0].T.reshape(2, 16, 16)
    torch.testing.assert_close(crop[:2], expected, atol=5e-3 * max(side, 8), rtol=0)


def test_an_upright_crop_of_the_same_size_is_the_picture_itself() -> None:
    picture = torch.rand(3, 20, 20)
    torch.testing.assert_close(crops.crop(picture, torch.tensor([10.0, 10, 20, 0]), 20), picture, atol=1e-5, rtol=0)


def test_a_crop_is_turned_clockwise_by_its_angle() -> None:
    point = crops.to_picture(torch.tensor([[[1.0, 0.5]]]), torch.tensor([[0.0, 0, 2, math.pi / 2]]), 1)
    torch.testing.assert_close(point, torch.tensor([[[0.0, 1]]]), atol=1e-6, rtol=0)


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    crop = crops.crop(torch.full((3, 8, 8), 0.25), torch.tensor([0.0, 0, 30, 0.3]), 12)
    torch.testing.assert_close(crop, torch.full_like(crop, 0.25))


@pytest.mark.parametrize("square", [[-900.0, -900, 5, 0], [900.0, 0, 5, 1], [4.0, 4, 1e-9, 0]])
def test_a_square_that_misses_the_picture_or_has_no_size_still_gives_a_crop(square: list[float]) -> None:
    assert torch.isfinite(crops.crop(torch.rand(3, 8, 8), torch.tensor(square), 12)).all()


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_fine_stripes_turn_grey_when_a_large_face_is_made_small(angle: float) -> None:
    stripes = (torch.arange(1000) % 2).float().expand(3, 1000, 1000)
    crop = crops.crop(stripes, torch.tensor([500.0, 500, 700, angle]), 64)
    assert (crop - 0.5).abs().max() < 0.1


def test_shrinking_keeps_the_mean_brightness() -> None:
    picture = torch.rand(1, 3, 90, 120)
    assert abs(crops.shrink(picture, 9, 12).mean() - picture.mean()) < 0.01


def test_the_square_of_a_box_is_level_with_the_eyes_and_half_as_large_again() -> None:
    box, eyes = torch.tensor([[[0.0, 10], [20, 20]]]), torch.tensor([[[5.0, 10], [10, 15]]])
    torch.testing.assert_close(crops.squares_of_boxes(box, eyes), torch.tensor([[10, 15, 30, math.pi / 4]]))


@settings(max_examples=30, deadline=None)
@given(st.floats(-3, 3))
def test_the_square_of_a_mesh_turns_with_the_face_and_keeps_its_size(angle: float) -> None:
    points = torch.tensor([[[-3.0, 0], [3, 0], [0, -8], [1, 9]]])
    square = crops.squares_of_points(crops.turn(points, torch.tensor([angle])), 0, 1)[0]
    upright = crops.squares_of_points(points, 0, 1)[0]
    assert square[3] == pytest.approx(angle, abs=1e-3) and square[2] == pytest.approx(float(upright[2]), rel=1e-4)
