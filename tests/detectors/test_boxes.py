import pytest
import torch
from face_part_fusion.detectors.boxes import bounding_box, centre_of, corners_of, pixel_span, window_of

SIZE = (40, 60)


def test_the_corners_of_a_box_run_clockwise_from_the_top_left():
    corners = corners_of((1, 2, 5, 9), torch.float64)
    assert corners.tolist() == [[1, 2], [5, 2], [5, 9], [1, 9]] and corners.dtype == torch.float64
    assert corners_of((1, 2, 5, 9)).dtype == torch.float32 and centre_of((1, 2, 5, 9)) == (3, 5.5)


def test_the_bounding_box_of_corners_is_the_box():
    assert bounding_box(corners_of((1.5, 2, 5, 9))) == (1.5, 2, 5, 9)


@pytest.mark.parametrize(
    ("box", "margin", "window"),
    [
        ((10.5, 5.0, 20.5, 9.0), 0.0, (10, 5, 21, 10)),
        ((10.5, 5.0, 20.5, 9.0), 2.0, (8, 3, 23, 12)),
        ((-9.0, -9.0, 99.0, 99.0), 3.0, (0, 0, 60, 40)),
        ((-9.0, 5.0, -4.0, 9.0), 1.0, None),
        ((10.0, 41.0, 20.0, 50.0), 0.5, None),
    ],
)
def test_a_window_is_the_pixels_of_the_box_and_its_margin_inside_the_picture(box, margin, window):
    assert window_of(box, SIZE, margin) == window


@pytest.mark.parametrize(
    ("low", "high", "span"),
    [(3.5, 7.5, (1, 10)), (-20.0, 99.0, (0, 60)), (-20.0, -15.0, (0, 1)), (80.0, 90.0, (59, 60))],
)
def test_a_span_holds_at_least_one_pixel_wherever_it_lies(low, high, span):
    assert pixel_span(low, high, 60, 2) == span
