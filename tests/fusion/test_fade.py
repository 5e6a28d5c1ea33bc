"""The soft edge of a mask."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.fusion.fade import fade_out
from hypothesis import given
from hypothesis import strategies as st


def square(x0: int, y0: int, x1: int, y1: int, size: int = 64) -> torch.Tensor:
    mask = torch.zeros(1, size, size)
    mask[:, y0:y1, x0:x1] = 1
    return mask


@given(pixels=st.integers(1, 24), x=st.integers(0, 40), y=st.integers(0, 40))
def test_white_stays_white_what_is_further_away_truly_black_and_between_it_falls(pixels, x, y):
    reach = 2 * ((pixels + 1) // 2)
    mask = square(x, y, x + 20, y + 20)
    soft = fade_out(mask, pixels)
    near = square(max(0, x - reach), max(0, y - reach), x + 20 + reach, y + 20 + reach)
    assert (soft[mask == 1] == 1).all() and (soft[near == 0] == 0).all() and (soft[near == 1] > 0).all()
    row = soft[0, y + 10, x + 19 :]
    assert (row.diff() <= 1e-6).all() and soft.max() == 1


def test_halfway_it_is_about_a_half_and_nothing_happens_for_0():
    mask = square(20, 20, 40, 40)
    assert torch.equal(fade_out(mask, 0), mask)
    soft = fade_out(mask, 16)
    assert soft[0, 30, 47] > 0.5 > soft[0, 30, 48] and soft[0, 30, 56] == 0 < soft[0, 30, 55]
    assert soft[0, 30, 43] == pytest.approx(float(soft[0, 43, 30]))


def test_the_pictures_border_does_not_darken_the_edge():
    soft = fade_out(square(0, 20, 20, 40), 8)
    away = fade_out(square(9, 20, 20, 40), 8)
    assert soft[0, 20:40, :20].min() == 1 and soft[0, 30, 22] == pytest.approx(float(away[0, 30, 22]))
    corner = fade_out(square(0, 0, 20, 20), 8)
    assert corner[0, 0, 22] == pytest.approx(float(corner[0, 10, 22]))


def test_each_picture_of_a_batch_has_its_own_and_an_empty_one_stays_empty():
    both = fade_out(torch.cat([square(20, 20, 40, 40), torch.zeros(1, 64, 64)]), 6)
    assert torch.equal(both[0], fade_out(square(20, 20, 40, 40), 6)[0]) and both[1].max() == 0
