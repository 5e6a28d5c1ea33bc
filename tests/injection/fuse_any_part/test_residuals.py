"""How strong each cell is, and how cells lie over a block."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from face_part_fusion.fusion.features.records import FusedFeatures, TargetPicture
from face_part_fusion.injection.fuse_any_part.residuals import (
    cell_strengths,
    linear_weights,
    nearest_cells,
    residuals,
)
from face_part_fusion.injection.sampling.grid_masks import mask_on_grid
from face_part_fusion.injection.sampling.rows import Rows
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

SIDES = st.integers(1, 40)


def fused(count: int = 1, mode: str = "practical", **parts: torch.Tensor) -> FusedFeatures:
    picture = torch.zeros(count, 32, 32, 3)
    target = TargetPicture(picture, picture, torch.tensor([[0.1, 0.2, 0.9, 0.8]]).repeat(count, 1), {}, picture[..., 0])
    return FusedFeatures(
        mode=mode, tokens=torch.arange(count * 17 * 2).float().view(count, 17, 2), unconditioned=-torch.ones(1, 17, 2),
        grid=(4, 4), classes=1, encoder="test", parts=parts, origin=torch.zeros(count, 4, 4).long(), target=target,
    )  # fmt: skip


@given(SIDES, SIDES, SIDES, SIDES)
def test_nearest_takes_the_cells_that_interpolation_takes(h: int, w: int, height: int, width: int):
    cells = torch.arange(h * w).float().view(1, 1, h, w)
    rows, columns = nearest_cells((h, w), (height, width))
    expected = functional.interpolate(cells, (height, width), mode="nearest")
    assert torch.equal(cells[0, 0][rows][:, columns], expected[0, 0])


def test_the_middle_block_takes_the_even_cells():
    assert nearest_cells((16, 16), (8, 8))[0].tolist() == list(range(0, 16, 2))


def test_a_window_of_the_latent_takes_what_the_whole_has_there():
    whole, piece = nearest_cells((16, 16), (64, 64)), nearest_cells((16, 16), (16, 24), (0.25, 0.5, 0.5, 0.875))
    assert torch.equal(piece[0], whole[0][16:32]) and torch.equal(piece[1], whole[1][32:56])
    data = residuals(fused())
    down, across = data.weights((64, 64))
    piece_down, piece_across = data.weights((16, 24), (0.25, 0.5, 0.5, 0.875))
    assert torch.allclose(piece_down, down[:, 16:32], atol=1e-4)
    assert torch.allclose(piece_across, across[:, 32:56], atol=1e-4)
    mask = torch.arange(64 * 64).view(1, 64, 64) / 64**2
    assert torch.equal(mask_on_grid(mask, (16, 24), (0.25, 0.5, 0.5, 0.875)), mask[:, 16:32, 32:56])


@given(st.integers(1, 16), st.integers(0, 48))
def test_a_window_over_all_is_linear_interpolation(cells: int, more: int):
    pixels = cells + more
    weights = linear_weights(torch.zeros(1), torch.ones(1), cells, pixels)
    values = torch.rand(cells, generator=torch.Generator().manual_seed(cells))
    expected = functional.interpolate(values[None, None], pixels, mode="linear", align_corners=False)
    assert torch.allclose(weights @ values, expected[0], atol=1e-4)


@given(st.floats(0, 0.9), st.floats(0.05, 1), st.integers(1, 20), st.integers(1, 64))
def test_a_window_makes_no_more_than_it_is_given_and_nothing_outside(low: float, size: float, cells: int, pixels: int):
    high = min(1.0, low + size)
    weights = linear_weights(torch.tensor([low]), torch.tensor([high]), cells, pixels)[0]
    assert bool((weights >= 0).all()) and bool((weights.sum(-1) <= 1 + 1e-4).all())
    edges = torch.linspace(0, 1, pixels + 1)
    outside = (edges[1:] <= low) | (edges[:-1] >= high)
    assert not weights[outside].any()
    inside = (edges[:-1] >= low) & (edges[1:] <= high)
    assert torch.allclose(weights[inside].sum(-1), torch.ones(int(inside.sum())), atol=1e-3)


def test_parts_multiply_where_they_lie_and_groups_count_for_their_sides():
    left, mouth = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    left[0, 0, 0], mouth[0, 3, 1], mouth[0, 3, 2] = 1, 1, 0.5
    cells = cell_strengths(fused(left_eye=left, mouth=mouth), 0.5, {"eyes": 2.0, "mouth": 0.0}).view(4, 4)
    assert cell_strengths(fused(left_eye=left), 1.0, {"eyes": 0.5, "left_eye": 3.0})[0, 0] == 1.5
    assert cells[0, 0] == 1.0 and cells[3, 1] == 0.0 and cells[3, 2] == 0.25 and cells[1, 1] == 0.5


def test_pictures_with_equal_strengths_share_them():
    assert cell_strengths(fused(3), 1.0, {}).shape == (1, 16)
    nose = torch.zeros(3, 4, 4)
    nose[1] = 1
    assert cell_strengths(fused(3, nose=nose), 1.0, {"nose": 0.5}).shape == (3, 16)


def test_a_mask_belongs_to_cells_in_released_mode_and_to_blocks_in_practical_mode():
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    released, practical = (residuals(fused(2, mode), mask=mask) for mode in ("released", "practical"))
    assert released.mask is None and released.cells.view(4, 4).tolist() == [[1.0] * 4] * 2 + [[0.0] * 4] * 2
    assert practical.mask is not None and bool((practical.cells == 1).all())
    assert torch.equal(released.view, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))
    with pytest.raises(ValueError, match="mask has 3 masks"):
        residuals(fused(2), mask=torch.ones(3, 8, 8))


@pytest.mark.parametrize("mode", ["released", "practical"])
def test_a_mask_that_lets_nothing_through_is_refused_and_one_black_mask_among_others_is_not(mode: str):
    black = torch.zeros(2, 8, 8)
    with pytest.raises(ValueError, match="mask has no white"):
        residuals(fused(2, mode), mask=black)
    residuals(fused(2, mode), mask=black.index_fill(0, torch.tensor([1]), 1.0))
    corner = torch.zeros(1, 32, 32)
    corner[:, 31, 31] = 1
    if mode == "practical":
        with pytest.raises(ValueError, match="lies wholly outside"):
            residuals(fused(2, mode), mask=corner)
    else:
        assert residuals(fused(2, mode), mask=corner).cells[0, -1] > 0


@pytest.mark.parametrize("given", [{"strength": float("nan")}, {"strength": -1.0}, {"parts": {"nose": float("inf")}}])
def test_a_strength_that_is_no_number_is_refused_by_name(given: dict[str, Any]):
    with pytest.raises(ValueError, match="(strength|nose) is (nan|-1.0|inf); it must be a number"):
        residuals(fused(), **given)


def test_rows_that_cannot_be_shared_out_are_refused():
    with pytest.raises(ValueError, match="latent has 3 pictures and the model was made for 2"):
        residuals(fused(2)).indices(Rows((True, False), (0, 1, 2), 3))


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_rows_find_their_picture_and_unconditioned_rows_the_empty_one(factor: float):
    nose = torch.zeros(2, 4, 4)
    nose[1] = 1
    data = residuals(fused(2, nose=nose), parts={"nose": factor})
    spread = data.spread(data.patches, "input_1")
    features, pictures = data.indices(Rows((True, False), (0, 1, 2, 3), 4))
    assert pictures == [0, 1, 0, 1] * 2
    scale = torch.tensor([1.0, factor])
    for row, (feature, picture) in enumerate(zip(features, pictures, strict=True)):
        expected = data.patches[2 if row < 4 else picture] * scale[picture]
        assert torch.equal(spread[feature], expected)


def test_a_block_of_weight_0_does_not_act():
    data: Any = residuals(fused(), blocks={"input_1": 0.0})
    assert not data.acts("input_1") and data.acts("input_2")
    assert not residuals(fused(), strength=0.0).acts("input_2")
