import math

import torch
from face_part_fusion.detectors.parts import Face, Region
from face_part_fusion.fusion.outline import hull_around, outlines, signed_distance, smoothstep
from hypothesis import given, settings
from hypothesis import strategies as st

SQUARE = torch.tensor([[4.0, 5], [14, 5], [14, 15], [4, 15]])


def polygon(corners, radius=8.0, x=16.0, y=15.0, turn=0.3):
    steps = [turn + 2 * math.pi * i / corners for i in range(corners)]
    return torch.tensor([[x + radius * math.cos(t), y + radius * math.sin(t)] for t in steps])


def distance_by_hand(ring, px, py):
    """To a convex ring that is drawn clockwise on the screen, one pixel at a time."""
    nearest, inside = math.inf, True
    corners = ring.tolist()
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey = bx - ax, by - ay
        t = max(0.0, min(1.0, ((px - ax) * ex + (py - ay) * ey) / (ex * ex + ey * ey)))
        nearest = min(nearest, math.hypot(px - ax - t * ex, py - ay - t * ey))
        inside = inside and ex * (py - ay) - ey * (px - ax) > 0
    return -nearest if inside else nearest


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 8), st.floats(3, 12), st.floats(0, 24), st.floats(0, 20), st.floats(0, 3))
def test_the_distance_to_a_convex_polygon_is_exact_when_no_pixel_is_left_out(corners, radius, x, y, turn):
    ring = polygon(corners, radius, x, y, turn)
    field = signed_distance([ring], (0, 0, 24, 20))
    expected = torch.tensor([[distance_by_hand(ring, c + 0.5, r + 0.5) for c in range(24)] for r in range(20)])
    assert field.shape == (20, 24) and torch.allclose(field, expected, atol=1e-3)


@settings(deadline=None, max_examples=25)
@given(st.floats(10, 60), st.floats(20, 100), st.floats(20, 100), st.sampled_from([16, 64, 256]))
def test_the_distance_to_a_circle_is_the_radius_less_however_coarse_the_samples(radius, x, y, finest):
    field = signed_distance([polygon(120, radius, x, y)], (0, 0, 120, 110), finest)
    rows, columns = torch.arange(110) + 0.5, torch.arange(120) + 0.5
    expected = torch.hypot(columns[None, :] - x, rows[:, None] - y) - radius
    step = max(1, 120 / finest)
    assert (field - expected).abs().max() <= 0.1 + 0.75 * step
    inner = slice(math.ceil(step), -math.ceil(step))
    near = (expected.abs() < radius / 2)[inner, inner]
    assert ((field - expected)[inner, inner] * near).abs().max() <= 0.1 + step * step / (3 * radius)


def test_the_window_only_says_what_is_seen():
    whole = signed_distance([SQUARE], (0, 0, 20, 20))
    assert torch.allclose(signed_distance([SQUARE], (3, 6, 18, 12)), whole[6:12, 3:18], atol=1e-6)
    assert signed_distance([SQUARE], (-5, -4, 30, 25))[4:24, 5:25].sub(whole).abs().max() < 1e-5


def test_a_ring_inside_a_ring_is_a_hole_in_either_drawing_direction():
    hole = torch.tensor([[7.0, 8], [11, 8], [11, 12], [7, 12]])
    for inner in (hole, hole.flip(0)):
        field = signed_distance([SQUARE, inner], (0, 0, 20, 20))
        assert field[9, 9] > 0 and field[6, 9] < 0 and field[2, 9] > 0
        assert torch.equal(field < 0, (field_of(SQUARE) < 0) & (field_of(hole) > 0))


def field_of(ring):
    return signed_distance([ring], (0, 0, 20, 20))


def test_two_rings_side_by_side_are_both_filled():
    far = SQUARE + torch.tensor([20.0, 0.0])
    field = signed_distance([SQUARE, far], (0, 0, 40, 20))
    assert field[10, 9] < 0 and field[10, 29] < 0 and field[10, 19] > 0


def test_a_window_of_one_pixel_and_one_of_1000_rows_have_their_size():
    assert signed_distance([SQUARE], (8, 8, 9, 9)).shape == (1, 1)
    assert signed_distance([SQUARE], (0, 0, 1, 1000)).shape == (1000, 1)


def test_the_hull_of_a_tensor_is_one_of_its_type():
    hull = hull_around(torch.tensor([[0.0, 0], [4, 0], [1, 1], [0, 4]]))
    assert {tuple(p) for p in hull.tolist()} == {(0, 0), (4, 0), (0, 4)} and hull.dtype == torch.float32


def test_a_part_of_two_sides_has_two_outlines_and_a_mask_one_around_its_white_pixels():
    mask = torch.zeros(6, 6)
    mask[1:3, 2:5] = 1
    regions = {"left_eye": Region((SQUARE,)), "right_eye": Region(mask=mask, corner=(7, 3))}
    left, right = outlines(Face((0, 0, 20, 20), 1, regions=regions), "eyes")
    assert {tuple(p) for p in left.tolist()} == {tuple(p) for p in SQUARE.tolist()}
    assert {tuple(p) for p in right.tolist()} == {(9, 4), (12, 4), (12, 6), (9, 6)}


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9))
def test_the_outline_of_a_mask_is_the_hull_of_all_its_white_pixels_corners(seed):
    mask = (torch.rand(5, 7, generator=torch.Generator().manual_seed(seed)) > 0.7).float()
    mask[3, 2] = 1
    corners = [[x + i, y + j] for y, x in torch.nonzero(mask).tolist() for i in (0, 1) for j in (0, 1)]
    (outline,) = outlines(Face((0, 0, 9, 9), 1, regions={"nose": Region(mask=mask)}), "nose")
    assert torch.equal(outline, hull_around(torch.tensor(corners, dtype=torch.float32)))


def test_a_painted_side_that_is_empty_has_no_outline():
    regions = {"left_eye": Region((SQUARE,)), "right_eye": Region(mask=torch.zeros(6, 6))}
    assert len(outlines(Face((0, 0, 20, 20), 1, regions=regions), "eyes")) == 1


def test_smoothstep_goes_from_0_to_1_and_is_clamped():
    assert smoothstep(torch.tensor([-3.0, 0, 0.5, 1, 9])).tolist() == [0, 0, 0.5, 1, 1]
    assert (smoothstep(torch.linspace(0, 1, 50)).diff() > 0).all()


def test_a_corner_that_is_there_twice_changes_nothing():
    twice = torch.cat([SQUARE[:1], SQUARE])
    window = (0, 0, 20, 20)
    assert torch.allclose(signed_distance([twice], window), signed_distance([SQUARE], window), atol=1e-4)
