import math

import pytest
import torch
from face_part_fusion.fusion.outline import hull_around, signed_distance
from face_part_fusion.fusion.seam import least_seam
from hypothesis import given, settings
from hypothesis import strategies as st

WINDOW = (100, 200, 220, 320)
MIDDLE = torch.tensor([160.0, 260.0])


def circle(radius=20.0, middle=MIDDLE, flat=1.0, turn=0.0):
    angles = torch.arange(60) * (2 * math.pi / 60)
    points = radius * torch.stack([torch.cos(angles), flat * torch.sin(angles)], 1)
    c, s = math.cos(turn), math.sin(turn)
    return points @ torch.tensor([[c, s], [-s, c]]) + middle


def around_middle():
    """(120, 120): the distance of each pixel of the window from its middle."""
    at = torch.arange(120) + 0.5 - 60
    return torch.hypot(at[None, :], at[:, None])


@settings(deadline=None, max_examples=8)
@given(st.floats(24, 44))
def test_the_path_runs_in_the_one_cheap_ring(radius):
    cost = 1 + 20 * ((around_middle() - radius).abs() > 2.5).float()
    radii = (least_seam(cost, circle(), WINDOW, 2.0, 28.0) - MIDDLE).norm(dim=1)
    assert (radii - radius).abs().max() < 3.5


def test_the_path_goes_around_what_differs():
    cost = torch.ones(120, 120)
    cost[50:70, 82:92] = 50.0
    seam = least_seam(cost, circle(), WINDOW, 2.0, 40.0)
    inside = (seam - torch.tensor([187.0, 260.0])).abs() < torch.tensor([4.0, 9.0])
    assert not inside.all(1).any()


def test_with_an_even_cost_the_path_is_even():
    radii = (least_seam(torch.ones(120, 120), circle(), WINDOW, 4.0, 20.0) - MIDDLE).norm(dim=1)
    assert radii.max() - radii.min() < 0.5


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99), st.floats(0.3, 1), st.floats(0, 3.1))
def test_the_path_is_closed_and_stays_between_inner_and_outer(seed, flat, turn):
    cost = 30 * torch.rand(40, 40, generator=torch.Generator().manual_seed(seed))
    hull = hull_around(circle(25.0, flat=flat, turn=turn))
    seam = least_seam(cost, hull, WINDOW, 5.0, 18.0)
    across = signed_distance([hull], WINDOW, 120)
    x, y = (seam - torch.tensor(WINDOW[:2])).long().T
    assert across[y, x].max() < 18 + 1.5 and across[y, x].min() > 0.5
    lengths = (seam.roll(-1, 0) - seam).norm(dim=1)
    assert lengths[-1] <= 1.5 * lengths[:-1].max() and lengths.max() < 8


@pytest.mark.parametrize(("x", "y"), [(128, 260), (192, 260), (160, 228), (160, 292), (130, 230)])
def test_the_path_does_not_leave_the_window_where_it_can_stay(x, y):
    seam = least_seam(torch.ones(60, 60), circle(22.0, torch.tensor([float(x), float(y)])), WINDOW, 3.0, 30.0)
    low, high = torch.tensor(WINDOW[:2]), torch.tensor(WINDOW[2:])
    assert (seam >= low).all() and (seam <= high).all()


def test_a_part_larger_than_the_window_still_has_a_path():
    seam = least_seam(torch.ones(120, 120), circle(150.0), WINDOW, 3.0, 30.0)
    assert torch.isfinite(seam).all() and ((seam - MIDDLE).norm(dim=1) > 140).all()


def test_the_resolution_of_the_cost_hardly_matters():
    cost = 1 + 20 * ((around_middle() - 34).abs() > 4).float()
    coarse = torch.nn.functional.avg_pool2d(cost[None, None], 3)[0, 0]
    one, other = (least_seam(c, circle(), WINDOW, 2.0, 28.0) for c in (cost, coarse))
    assert (one - other).norm(dim=1).max() < 5
