"""Which pieces of the latent and which of the sampled latents a model call computes, by what the host says of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from face_part_fusion.injection.ip_adapter.regional_attention import reached_queries
from face_part_fusion.injection.sampling.areas import Area, areas_of_call, note_areas
from face_part_fusion.injection.sampling.grid_masks import WHOLE
from face_part_fusion.injection.sampling.rows import Rows
from face_part_fusion.injection.sampling.run import SamplingRun

LATENT = (16, 24)
CONDS = [
    [{"uuid": "a", "area": (8, 8, 4, 20)}, {"uuid": "b"}],
    None,
    [{"uuid": "c", "area": (8, 4, 0, 2)}, {"uuid": "a", "area": (8, 4, 8, 12)}],
]


def call(chunks: list[int], marks: list[str]) -> dict[str, Any]:
    return {"cond_or_uncond": chunks, "uuids": marks}


def windowed(count: int, index: list[int], anchor: int | None = None, dim: int = 0, total: int = 6) -> Rows:
    window = SimpleNamespace(dim=dim, index_list=index, total_frames=total)
    if anchor is not None:
        window.causal_anchor_index = anchor
    return Rows.of({"cond_or_uncond": [1, 0], "context_window": window}, 2 * count, total)


def test_each_chunk_has_the_area_of_its_own_entry_as_the_host_limits_it():
    noted = note_areas(CONDS, LATENT)
    assert areas_of_call(call([0], ["a"]), noted, (8, 4), LATENT) == (Area(4, 20, 8, 4),)
    assert areas_of_call(call([2, 2], ["c", "a"]), noted, (8, 4), LATENT) == (Area(0, 2, 8, 4), Area(8, 12, 8, 4))
    assert areas_of_call(call([0, 2], ["b", "x"]), noted, LATENT, LATENT) == (Area(0, 0, 16, 24),) * 2


@pytest.mark.parametrize(
    ("options", "piece", "noted"),
    [
        (call([0], ["a"]), (4, 4), note_areas(CONDS, LATENT)),
        (call([1], ["a"]), (8, 4), note_areas(CONDS, LATENT)),
        (call([0], []), (8, 4), note_areas(CONDS, LATENT)),
        (call([0], ["b"]), (8, 8), note_areas(CONDS, (8, 8))),
        (call([0], ["a"]), (8, 4), None),
    ],
)
def test_a_piece_that_no_area_explains_is_refused(options: Any, piece: Any, noted: Any):
    with pytest.raises(ValueError, match=r"a piece of \d x \d cells of a latent of 24 x 16.*nothing says where"):
        areas_of_call(options, noted, piece, LATENT)


def test_an_area_is_a_window_of_the_latent_and_all_of_it_is_the_whole():
    assert Area(4, 6, 8, 12).window(LATENT) == (0.25, 0.25, 0.75, 0.75)
    assert Area(0, 0, 16, 24).window(LATENT) == WHOLE
    run = SamplingRun(None, LATENT, 1)
    assert run.windows(call([0, 1], []) | {"original_shape": [2, 4, 16, 24]}) == (WHOLE,)


def test_rows_of_a_context_window_belong_to_the_pictures_that_the_host_names():
    rows = windowed(2, [4, 5])
    assert rows.pictures(6) == [4, 5, 4, 5] and rows.latents == 6
    assert rows.pictures(3) == [1, 2, 1, 2] and rows.pictures(1) == [0] * 4
    assert rows.take(6) == [6, 6, 4, 5] and rows.take(6, 6) == [10, 11, 4, 5]


def test_the_frame_that_the_host_adds_before_a_window_is_a_row_too():
    assert windowed(3, [2, 3], anchor=1).pictures(6) == [1, 2, 3] * 2
    assert windowed(2, [0, 1], anchor=-1).pictures(6) == [0, 1] * 2


def test_other_packs_that_sample_in_pieces_name_their_rows_too():
    options = {"cond_or_uncond": [0], "ad_params": {"sub_idxs": [3, 4], "full_length": 5}}
    assert Rows.of(options, 2, 5).pictures(5) == [3, 4]
    assert Rows.of({"cond_or_uncond": [0], "ad_params": {"sub_idxs": None}}, 5, 5).pictures(5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rows", [windowed(3, [4, 5]), windowed(3, [0, 1, 2], dim=2), Rows.of({}, 3, 6)])
def test_where_nothing_says_which_latents_a_call_has_only_one_picture_for_all_will_do(rows: Rows):
    assert set(rows.pictures(1)) == {0} and set(rows.take(1)) <= {0, 1}
    with pytest.raises(ValueError, match="called with 3 latents at a time while 6 are sampled, and nothing says which"):
        rows.pictures(6)


def test_a_region_reaches_the_queries_of_each_chunks_own_window():
    mask = torch.zeros(1, 8, 8)
    mask[:, :, :4] = 1
    reached = reached_queries(mask, 2.0, (2, 2), torch.zeros(1), ((0.0, 0.0, 0.5, 0.5), (0.0, 0.25, 0.5, 0.75)))
    assert reached is not None and reached.index is None
    assert reached.weight[..., 0].tolist() == [[[2, 2, 2, 2]], [[2, 0, 2, 0]]]
    assert reached_queries(mask, 2.0, (2, 2), torch.zeros(1), ((0.0, 0.5, 0.5, 1.0),)) is None
