import math

import pytest
import torch
from face_part_fusion.fusion.thin_plate import thin_plate
from face_part_fusion.fusion.warp import SLACK
from hypothesis import given, settings
from hypothesis import strategies as st

KNOTS = torch.tensor([[10.0, 12], [50, 9], [31, 33], [14, 52], [47, 55], [30, 70]], dtype=torch.float64)
numbers, places = st.floats(-3, 3), st.floats(-200, 300)
shifts = st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=6, max_size=6)


@settings(deadline=None, max_examples=60)
@given(numbers, numbers, numbers, numbers, places, places, places, places, st.sampled_from([0.0, 0.01, 1.0]))
def test_an_affine_map_stays_affine_everywhere(a, b, c, d, x, y, u, v, slack):
    linear, shift = torch.tensor([[a, b], [c, d]], dtype=torch.float64), torch.tensor([x, y], dtype=torch.float64)
    points = torch.tensor([[u, v], [30.0, 30]], dtype=torch.float64)
    mapped = thin_plate(KNOTS, KNOTS @ linear.T + shift, slack)(points)
    assert torch.allclose(mapped, points @ linear.T + shift, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(shifts)
def test_without_slack_every_landmark_meets_its_goal(moves):
    target = KNOTS + torch.tensor(moves, dtype=torch.float64)
    assert torch.allclose(thin_plate(KNOTS, target)(KNOTS), target, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(shifts)
def test_more_slack_follows_the_landmarks_less(moves):
    target = KNOTS + torch.tensor(moves, dtype=torch.float64)
    missed = [float((thin_plate(KNOTS, target, slack)(KNOTS) - target).norm()) for slack in (0.0, 0.01, 0.1, 1.0)]
    assert all(less <= more + 1e-6 for less, more in zip(missed, missed[1:], strict=False))


@settings(deadline=None, max_examples=30)
@given(shifts, places, places, st.floats(-math.pi, math.pi))
def test_the_map_has_no_jumps(moves, x, y, turn):
    spline = thin_plate(KNOTS, KNOTS + torch.tensor(moves, dtype=torch.float64))
    here = torch.tensor([x, y], dtype=torch.float64)
    there = here + 1e-4 * torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
    assert (spline(there) - spline(here)).norm() < 1e-2


@settings(deadline=None, max_examples=30)
@given(shifts, st.floats(0.01, 100), places, places)
def test_the_unit_does_not_matter(moves, unit, x, y):
    target, point = KNOTS + torch.tensor(moves, dtype=torch.float64), torch.tensor([x, y], dtype=torch.float64)
    here, there = thin_plate(KNOTS, target, 0.01)(point), thin_plate(KNOTS * unit, target * unit, 0.01)(point * unit)
    assert torch.allclose(here, there / unit, atol=1e-5)


def test_one_landmark_that_moves_takes_its_surroundings_along_and_hardly_what_is_far():
    grid = torch.cartesian_prod(torch.arange(0, 100, 10.0), torch.arange(0, 100, 10.0))
    target = grid.clone()
    target[44] += torch.tensor([4.0, 0.0])
    moved = thin_plate(grid, target)(grid[44] + torch.tensor([[0.0, 0.0], [3.0, 0.0], [35.0, 35.0]])) - grid[44]
    beside, far = moved[1, 0] - 3, moved[2] - 35
    assert moved[0, 0] == pytest.approx(4) and 1.5 < beside < 4 and far.norm() < 0.3


def test_points_keep_their_shape_and_with_slack_equal_landmarks_are_no_trouble():
    twice = torch.cat([KNOTS, KNOTS[:2]]).float()
    mapped = thin_plate(twice, twice + 5, SLACK)(torch.zeros(3, 4, 2))
    assert mapped.shape == (3, 4, 2) and torch.allclose(mapped, torch.tensor(5.0).double(), atol=1e-5)
