import pytest
import torch
from face_part_fusion.fusion.lab import to_lab, to_rgb
from hypothesis import given, settings
from hypothesis import strategies as st

shares = st.floats(0, 1)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
    ],
)
def test_white_grey_and_the_primaries_have_their_published_values(rgb, lab):
    assert torch.allclose(to_lab(torch.tensor(rgb).float()), torch.tensor(lab).float(), atol=0.03)


@settings(deadline=None, max_examples=200)
@given(shares, shares, shares)
def test_every_colour_comes_back(r, g, b):
    colour = torch.tensor([[[r, g, b]]])
    assert torch.allclose(to_rgb(to_lab(colour)), colour, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(shares, shares)
def test_lightness_grows_with_grey_and_grey_has_no_colour(one, other):
    dark, light = sorted((one, other))
    lab = to_lab(torch.tensor([[dark] * 3, [light] * 3]))
    assert lab[0, 0] <= lab[1, 0] + 1e-4 and lab[:, 1:].abs().max() < 0.01


@settings(deadline=None, max_examples=50)
@given(st.floats(-50, 150), st.floats(-200, 200), st.floats(-200, 200))
def test_what_no_screen_shows_is_clipped(light, a, b):
    rgb = to_rgb(torch.tensor([light, a, b]))
    assert torch.isfinite(rgb).all() and 0 <= rgb.min() and rgb.max() <= 1


def test_colours_beyond_0_to_1_stay_numbers():
    assert torch.isfinite(to_lab(torch.tensor([[-0.5, 1.5, 0.2], [9.0, -9.0, 0.0]]))).all()
