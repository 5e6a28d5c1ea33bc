from __future__ import annotations

import math

import pytest
import torch
from face_part_fusion.fusion.regions.layout import layout_of
from face_part_fusion.fusion.regions.neck import ByHand, fit_head, moved_neck, neck_of
from face_part_fusion.fusion.similarity import apply_affine, scale_of
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_people import drawn_person


def neck(**where):
    person = drawn_person(**where)
    return neck_of(person.face(0), layout_of(person.pictures[0], person.face(0)))


def test_a_neck_is_measured_below_the_chin():
    measured = neck()
    assert measured.width == pytest.approx(1.3 * 50, abs=4) and float(measured.middle[0]) == pytest.approx(100, abs=2)
    assert measured.unit == pytest.approx(50, rel=0.1)


def test_a_neck_under_hair_has_no_width():
    assert neck(hair_length=2.6, neck_width=2.0).width is None


@settings(deadline=None, max_examples=6)
@given(x=st.floats(80, 120), y=st.floats(70, 90), unit=st.floats(35, 60))
def test_a_head_comes_to_lie_where_the_bodys_own_was(x, y, unit):
    head, body = neck(x=x, y=y, unit=unit), neck()
    for fit in ("neck", "face size"):
        matrix = fit_head(head, body, fit)
        assert scale_of(matrix) == pytest.approx(50 / unit, rel=0.04)
        assert (apply_affine(matrix, head.eyes) - body.eyes).norm() < 4
        assert (apply_affine(matrix, head.chin) - body.chin).norm() < 4
    assert scale_of(fit_head(head, body, "as it is")) == pytest.approx(1)


def test_a_wider_neck_gets_a_somewhat_larger_head():
    slim, broad = neck(neck_width=1.1), neck(neck_width=1.6)
    assert 1.02 < scale_of(fit_head(slim, broad)) <= 1.101 and 0.919 <= scale_of(fit_head(broad, slim)) < 0.98
    assert scale_of(fit_head(slim, broad, "face size")) == pytest.approx(1, abs=0.02)


def test_what_is_set_by_hand_goes_on_top():
    head = body = neck()
    matrix = fit_head(head, body, by_hand=ByHand(x=0.5, y=-0.2, scale=1.2, angle=10))
    assert scale_of(matrix) == pytest.approx(1.2)
    assert math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])) == pytest.approx(10)
    centre = (apply_affine(matrix, (head.eyes + head.chin) / 2) - (head.eyes + head.chin) / 2) / head.unit
    assert centre.tolist() == pytest.approx([0.5, -0.2], abs=0.03)


def test_a_tilted_head_is_set_upright():
    head, body = neck(roll=0.3), neck()
    matrix = fit_head(head, body, "face size")
    assert math.atan2(matrix[1, 0], matrix[0, 0]) == pytest.approx(-0.3, abs=0.02)
    moved = moved_neck(head, matrix)
    assert torch.allclose(moved.down, body.down, atol=0.02)


@pytest.mark.parametrize(
    ("words", "message"), [({"fit": "x"}, "fit is 'x'"), ({"by_hand": ByHand(scale=0)}, "scale is 0")]
)
def test_other_settings_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        fit_head(neck(), neck(), **words)
