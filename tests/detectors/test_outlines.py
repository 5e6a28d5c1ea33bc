import math

import pytest
import torch
from face_part_fusion.detectors.outlines import around_both, convex_hull
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.polygons import area, contains, is_simple

COORDINATES = st.integers(0, 200).map(lambda value: value / 2)
POINTS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=12)


def spread(points):
    """Whether the points are clearly not on one line."""
    hull = convex_hull(points)
    return len(hull) >= 3 and area(torch.tensor(hull)) > 20


@given(POINTS)
@settings(deadline=None)
def test_a_hull_contains_its_points_and_its_corners_are_among_them(points):
    assume(spread(points))
    hull = convex_hull(points)
    assert (
        set(hull) <= set(points)
        and is_simple(torch.tensor(hull))
        and contains(torch.tensor(hull), torch.tensor(points))
    )


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=25))
@settings(deadline=None)
def test_a_hull_turns_one_way_and_names_no_point_twice(points):
    hull = convex_hull(points)
    assert set(hull) <= set(points) and len(set(hull)) == len(hull)
    for (ax, ay), (bx, by) in zip(hull, [*hull[1:], hull[0]], strict=True):
        assert all((bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0 for x, y in points)


def test_a_hull_of_equal_points_is_that_point():
    assert convex_hull([(3.0, 3.0)] * 5) == [(3, 3)]


@given(POINTS, POINTS, POINTS)
@settings(deadline=None)
def test_the_outline_around_two_hulls_is_simple_and_contains_every_point(shared, first, second):
    assume(spread(shared))
    inside = [sum(axis) / len(set(shared)) for axis in zip(*set(shared), strict=True)]
    outline = torch.tensor(around_both([*shared, *first], [*shared, *second], inside), dtype=torch.float64)
    assert is_simple(outline)
    assert contains(outline, torch.tensor([*shared, *first, *second]), 1e-2)
    assert area(outline) <= area(torch.tensor(convex_hull([*shared, *first, *second]))) + 1e-3


def test_hulls_that_cross_at_a_corner_of_both_give_it_once():
    shared = [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.0, 72.5), (53.0, 29.0), (72.5, 83.0), (95.5, 90.0), (96.0, 90.5)]
    inside = [sum(axis) / len(shared) for axis in zip(*shared, strict=True)]
    outline = torch.tensor(around_both([*shared, (93.0, 1.0)], shared, inside), dtype=torch.float64)
    assert is_simple(outline) and float((outline - outline.roll(1, 0)).norm(dim=1).min()) > 1e-6


def test_two_squares_one_above_the_other_keep_their_waist():
    wide, narrow = [(0, 40), (100, 40), (0, 100), (100, 100)], [(40, 0), (60, 0), (40, 60), (60, 60)]
    outline = torch.tensor(around_both(wide, narrow, (50, 50)), dtype=torch.float64)
    hull = torch.tensor(convex_hull([*wide, *narrow]))
    assert area(outline) == pytest.approx(6000 + 800) and area(hull) == pytest.approx(8400)


@pytest.mark.parametrize("points", [[(5.0, 5.0)] * 4, [(0.0, 0.0), (3.0, 3.0), (6.0, 6.0)]])
def test_points_without_an_area_give_an_outline_that_is_finite(points):
    square = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)]
    assert around_both(points, square, (4.0, 4.0)) == convex_hull([*points, *square])
    assert all(math.isfinite(value) for point in around_both(points, points, (5.0, 5.0)) for value in point)
