"""The mask and the masked latent that FuseAnyPart's UNet sees."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.fuse_any_part.latents import (
    SCALE,
    fill_masked,
    own_size,
    practical_mask,
    released_mask,
    released_size,
    resize_pictures,
)
from hypothesis import given
from hypothesis import strategies as st

# Boxes of the four published sample pictures as y0, x0, y1, x1 in pixels of 512, where they are known; and what
# becomes of each in 64 x 64 cells, with the size of the union. Those of the other three are chosen within the pixels
# that lead to the same cells.
GOLDEN = {
    "musk": (
        {"eyes": (202, 160, 259, 356), "nose": (259, 222, 349, 288), "mouth": (349, 206, 384, 308)},
        {"eyes": (26, 20, 33, 45), "nose": (33, 28, 44, 36), "mouth": (44, 26, 48, 39)}, 315,
    ),
    "zuck": (
        {"eyes": (201, 161, 266, 362), "nose": (266, 220, 350, 290), "mouth": (350, 200, 401, 311)},
        {"eyes": (26, 21, 34, 46), "nose": (34, 28, 44, 37), "mouth": (44, 25, 51, 39)}, 388,
    ),
    "sam": (
        {"eyes": (202, 160, 259, 356), "nose": (259, 227, 352, 288), "mouth": (352, 206, 400, 308)},
        {"eyes": (26, 20, 33, 45), "nose": (33, 29, 44, 36), "mouth": (44, 26, 50, 39)}, 330,
    ),
    "kobe": (
        {"eyes": (198, 162, 259, 356), "nose": (259, 214, 353, 290), "mouth": (353, 209, 383, 299)},
        {"eyes": (25, 21, 33, 45), "nose": (33, 27, 45, 37), "mouth": (45, 27, 48, 38)}, 345,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_the_released_mask_of_the_published_boxes_is_exact(name: str):
    boxes, cells, size = GOLDEN[name]
    mask = released_mask({part: torch.tensor([box]) / 512 for part, box in boxes.items()}, (64, 64))
    expected = torch.zeros(1, 1, 64, 64)
    for y0, x0, y1, x1 in cells.values():
        expected[..., y0:y1, x0:x1] = 1
    assert torch.equal(mask, expected)
    assert int(mask.sum()) == size


def test_each_picture_has_its_own_mask():
    boxes = {"nose": torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]])}
    mask = released_mask(boxes, (8, 12))
    assert mask.shape == (2, 1, 8, 12)
    assert mask[0, 0, :4, :6].all() and mask[0].sum() == 24
    assert mask[1, 0, 4:, 6:].all() and mask[1].sum() == 24


def test_boxes_that_miss_every_cell_are_an_error():
    with pytest.raises(ValueError, match="picture 2 reach no cell"):
        released_mask({"nose": torch.tensor([[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]])}, (8, 8))
    with pytest.raises(ValueError, match="mask of picture 1 reach no cell"):
        practical_mask(torch.full((1, 64, 64), 0.4), (8, 8))


def test_the_practical_mask_takes_every_cell_that_it_touches():
    mask = torch.zeros(1, 64, 64)
    mask[0, 7, 8] = 1
    assert practical_mask(mask, (8, 8)).nonzero().tolist() == [[0, 0, 0, 1]]


@given(st.integers(0, 2**64 - 1), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
def test_noise_fills_the_mask_and_nothing_else(seed: int, count: int, h: int, w: int):
    reference = torch.arange(count * 4 * h * w).float().view(count, 4, h, w)
    mask = (torch.arange(h * w).view(1, 1, h, w) % 2).float().expand(count, 1, h, w)
    masked = fill_masked(reference, mask, seed)
    kept = (mask == 0).expand_as(reference)
    assert torch.equal(masked.latent[kept], reference[kept] * SCALE)
    again = fill_masked(torch.zeros_like(reference), mask, seed)
    assert torch.equal(masked.latent[~kept], again.latent[~kept])
    assert masked.size == (h, w)
    assert torch.equal(masked.host_order(), torch.cat([mask, masked.latent], 1))


def test_the_noise_has_unit_variance_and_follows_the_seed():
    mask = torch.ones(1, 1, 128, 128)
    first, second = (fill_masked(torch.zeros(1, 4, 128, 128), mask, seed).latent for seed in (1, 2))
    assert float(first.std()) == pytest.approx(1, abs=0.02)
    assert not torch.equal(first, second)


@given(st.integers(64, 3000), st.integers(64, 3000))
def test_released_size_keeps_the_shape_with_the_shorter_side_at_512(height: int, width: int):
    h, w = released_size(height, width)
    assert min(h, w) == 512 and h % 8 == 0 and w % 8 == 0
    assert h / w == pytest.approx(height / width, rel=4 / 512 + 1e-6)


def test_sizes_of_squares_and_of_small_pictures():
    assert released_size(300, 300) == (512, 512)
    assert own_size(121, 150) == (120, 152)
    assert own_size(3, 9) == (8, 8)


def test_pictures_of_the_right_size_are_left_alone():
    pictures = torch.rand(2, 16, 24, 3)
    assert resize_pictures(pictures, (16, 24)) is pictures
    assert resize_pictures(pictures, (8, 8)).shape == (2, 8, 8, 3)
    flat = resize_pictures(torch.full((1, 9, 7, 3), 0.25), (16, 16))
    assert torch.allclose(flat, torch.full_like(flat, 0.25))


def test_in_another_size_the_reference_is_resized_and_the_noise_drawn_anew():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:4, 2:4] = 1
    masked = fill_masked(torch.full((1, 4, 8, 8), 2.0), mask, 3)
    grown = masked.resized((16, 16))
    inside = grown.mask.expand(-1, 4, -1, -1) > 0
    assert inside.sum() == 4 * 16 and torch.equal(grown.mask[..., 4:8, 4:8], torch.ones(1, 1, 4, 4))
    assert torch.allclose(grown.latent[~inside], torch.tensor(2 * 0.18215))
    assert 0.6 < grown.latent[inside].std() < 1.4
    assert masked.resized((8, 8)) is masked and torch.equal(grown.resized((4, 4)).mask, mask[..., ::2, ::2])
