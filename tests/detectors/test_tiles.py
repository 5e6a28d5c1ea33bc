"""The windows that are searched, and the merging of results that overlap."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors import tiles
from hypothesis import given, settings
from hypothesis import strategies as st

SIZES = st.integers(1, 9000)


def detection(x: float, y: float, side: float) -> torch.Tensor:
    """Detector points (8, 2): the box's corners, and its middle six times."""
    low, high = torch.tensor([x, y]), torch.tensor([x + side, y + side])
    return torch.stack((low, high, *[(low + high) / 2] * 6))


def test_the_whole_picture_is_centred_in_its_square() -> None:
    assert tiles.whole(100, 200, 128) == tiles.Level(64, 128, (128, 128), ((0, -32),))


def test_a_picture_can_leave_a_border_in_its_square() -> None:
    assert tiles.whole(100, 200, 128, 0.5) == tiles.Level(32, 64, (128, 128), ((-32, -48),))


@pytest.mark.parametrize("own", [(640, 640), (600, 400), (301, 200)])
def test_a_level_that_starts_from_another_levels_halves_is_the_one_shrunk_alone(own: tuple[int, int]) -> None:
    pictures, small = torch.rand(1, 3, *own), (own[0] * 3 // 10, own[1] * 3 // 10)
    scaled = tiles.pyramid(pictures, [(own[0] // 2, own[1] // 2), small])
    assert torch.equal(scaled[small], tiles.pyramid(pictures, [small])[small])


def test_a_small_picture_needs_no_finer_level() -> None:
    assert tiles.fine_levels(300, 384, 192, 32) == ()


def test_a_thousand_pixels_need_one_finer_window() -> None:
    assert tiles.fine_levels(1024, 1024, 192, 32) == (tiles.Level(512, 512, (512, 512), ((0, 0),)),)


def test_a_window_has_whole_cells_where_its_level_has_not() -> None:
    assert tiles.fine_levels(1000, 600, 192, 32) == (tiles.Level(500, 300, (512, 320), ((-10, -6),)),)


def test_larger_smallest_faces_need_fewer_windows() -> None:
    def count(smallest: int) -> int:
        return sum(len(level.corners) for level in tiles.fine_levels(3000, 2000, 192, smallest))

    assert count(16) > count(32) > count(64) > count(400) == 0


def test_a_smallest_face_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="smallest is 0"):
        tiles.fine_levels(100, 100, 192, 0)


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, st.integers(16, 200))
def test_windows_of_whole_cells_cover_their_level_and_overlap(height: int, width: int, smallest: int) -> None:
    for level in tiles.fine_levels(height, width, 192, smallest):
        for axis, (length, side) in enumerate(zip((level.width, level.height), level.window[::-1], strict=True)):
            assert side % tiles.CELL == 0 and side <= tiles.LONGEST
            ordered = sorted({corner[axis] for corner in level.corners})
            assert ordered[0] <= 0 and ordered[-1] + side >= length
            assert all(b - a <= side - 2 * tiles.LEAST_FACE for a, b in zip(ordered, ordered[1:], strict=False))


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES)
def test_levels_grow_by_no_more_than_the_step_and_end_at_the_scale_that_the_smallest_face_needs(
    height: int, width: int
) -> None:
    sides = [max(level.height, level.width) for level in tiles.fine_levels(height, width, 192, 32)]
    if sides:
        assert sides[-1] == pytest.approx(max(height, width) * tiles.LEAST_FACE / 32, abs=1)
    steps = [b / a for a, b in zip([192, *sides], sides, strict=False)]
    assert all(step <= tiles.STEP * 1.15 for step in steps)


def test_a_window_beyond_the_picture_is_black_there() -> None:
    window = torch.zeros(3, 6, 8)
    tiles.cut(torch.ones(3, 2, 4), (-1, -1), window)
    assert window[0, 1:3, 1:5].eq(1).all() and window.eq(-1).sum() == 3 * (48 - 8)


def test_points_go_back_to_pixels_of_the_picture() -> None:
    level = tiles.whole(100, 200, 128)
    back = tiles.to_picture(torch.tensor([[0.0, 32], [128, 96]]), level, level.corners[0], 100, 200)
    assert back.tolist() == [[0, 0], [200, 100]]


def test_boxes_of_one_face_become_one_weighted_by_score() -> None:
    points = torch.stack((detection(0, 0, 10), detection(1, 0, 10), detection(50, 50, 10)))
    merged, scores = tiles.merge(points, torch.tensor([0.6, 0.3, 0.9]))
    assert scores.tolist() == pytest.approx([0.9, 0.6]) and merged[1, 0, 0] == pytest.approx(1 / 3)


def test_a_face_cut_by_a_border_is_dropped_next_to_the_whole_face() -> None:
    whole, part = detection(0, 0, 100), detection(60, 30, 38)
    merged, scores = tiles.merge(torch.stack((part, whole)), torch.tensor([0.5, 0.9]))
    assert len(scores) == 1 and merged[0].tolist() == whole.tolist()


def test_neighbours_that_barely_touch_both_stay() -> None:
    points = torch.stack((detection(0, 0, 10), detection(8, 0, 10)))
    assert len(tiles.merge(points, torch.tensor([0.9, 0.8]))[1]) == 2


def test_no_detections_stay_no_detections() -> None:
    points, scores = tiles.merge(torch.zeros(0, 8, 2), torch.zeros(0))
    assert points.shape == (0, 8, 2) and scores.shape == (0,)


def test_boxes_without_area_stay_apart() -> None:
    assert len(tiles.groups(torch.zeros(3, 2, 2), torch.tensor([0.1, 0.9, 0.5]), torch.zeros(3, dtype=torch.bool))) == 3


@pytest.mark.parametrize("own, expected", [((True, True), 2), ((True, False), 1), ((False, True), 1)])
def test_a_box_within_another_is_a_face_only_when_both_may_be_one(own: tuple[bool, bool], expected: int) -> None:
    boxes = torch.tensor([[[0.0, 0.0], [100.0, 100.0]], [[30.0, 60.0], [60.0, 90.0]]])
    assert len(tiles.groups(boxes, torch.tensor([0.6, 0.9]), torch.tensor(own))) == expected
