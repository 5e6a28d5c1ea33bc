"""The state of one sampling run: in which steps a patch acts, what is kept, which row is whose, masks on grids."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from face_part_fusion.injection.sampling.grid_masks import mask_on_grid
from face_part_fusion.injection.sampling.rows import Rows, check_count
from face_part_fusion.injection.sampling.run import SamplingPatch, SamplingRun, problems_of
from face_part_fusion.injection.sampling.span import Levels, Span
from hypothesis import given
from hypothesis import strategies as st
from support.sampling_runs import Executor, Guider, in_run
from torch.nn import functional

SIDES = st.integers(1, 40)


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (0.7, 0.3), (math.nan, 1.0), (0.0, math.nan)])
def test_a_span_without_length_is_refused_by_the_names_of_its_inputs(start: float, end: float):
    words = f"^last is {end} and first {start}; last must be the larger one$"
    with pytest.raises(ValueError, match=words):
        Span(start, end, ("first", "last"))


def test_a_span_becomes_noise_levels_and_the_whole_run_needs_none():
    def level(share: float) -> float:
        return 10 * (1 - share)

    assert Span().levels(level) is None and Span(-0.1, 1.0).whole
    assert Span(0.25, 0.5).levels(level) == Levels(7.5, 5.0)
    assert Span(0.0, 0.5).levels(level) == Levels(math.inf, 5.0)
    assert Span(0.5, 1.0).levels(level) == Levels(5.0, 0.0)


def test_what_is_kept_is_computed_once_in_a_run_and_anew_in_the_next():
    patch, made = SamplingPatch("a node"), []

    def sampler(run: dict[str, Any]) -> SamplingRun:
        for _ in range(3):
            patch.run_of(run).keep("x", lambda: made.append(None))
        return patch.run_of(run)

    runs = [in_run(patch, torch.zeros(1, 4, 8, 8), sampler) for _ in range(2)]
    assert len(made) == 2 and runs[0] is not runs[1]
    bare = runs[0].without_kept()
    bare.keep("x", lambda: made.append(None))
    assert len(made) == 3
    assert copy.deepcopy([runs[0]])[0] is runs[0] and copy.deepcopy(patch) is patch


def test_of_ever_new_make_ups_of_rows_only_those_used_last_are_kept():
    run, made = SamplingRun(), []

    def keep(rows: int) -> Any:
        return run.keep_of_rows(rows, "x", lambda: made.append(rows) or torch.zeros(10))

    for rows in range(20):
        assert keep(rows) is keep(rows) and keep(0) is keep(0)
    assert made == list(range(20)) and run.kept_bytes == 8 * 40
    keep(1)
    assert made == [*range(20), 1]


def test_two_patches_on_one_model_have_runs_of_their_own_in_one_sampling_run():
    one, two = SamplingPatch("a node"), SamplingPatch("a node")
    guider, noise = Guider(), torch.zeros(1, 4, 8, 8)

    def inner(run: dict[str, Any]) -> bool:
        return one.run_of(run) is run[one.key] is not two.run_of(run) and two.run_of(run) is run[two.key]

    assert in_run(one, noise, lambda _: in_run(two, noise, inner, guider), guider)


def test_a_call_of_the_model_outside_of_a_sampling_run_is_a_run_of_its_own():
    patch, x, t = SamplingPatch("a node", Span(0.5, 0.9)), torch.zeros(2, 4, 8, 8), torch.tensor([3.0, 3.0])
    model = SimpleNamespace(model_sampling=SimpleNamespace(percent_to_sigma=lambda share: 10 * (1 - share)))
    options = {"cond_or_uncond": [0, 1]}
    inner = patch.around_model(Executor(model, lambda *given: given[-1]), x, t, transformer_options=options)
    assert list(options) == ["cond_or_uncond"] and inner["sigmas"] is t
    assert patch.run_of(inner) is inner[patch.key] and patch.run_of(inner).acts(inner)
    again = patch.around_model(Executor(model, lambda *given: given[-1]), x, t * 3, transformer_options=inner)
    assert again[patch.key] is inner[patch.key] and again["sigmas"] is t
    other = patch.around_model(Executor(model, lambda *given: given[-1]), x, t * 3)
    assert not patch.run_of(other).acts(other)


@given(st.lists(st.booleans(), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_rows_take_their_own_picture_and_unconditioned_rows_the_empty_one(
    unconditioned: list[bool], pictures: int, repeats: int, one_empty: bool
):
    rows = Rows(tuple(unconditioned), tuple(range(pictures * repeats)), pictures * repeats)
    empty = 1 if one_empty else pictures
    taken, own = rows.take(pictures, empty), rows.pictures(pictures)
    assert len(taken) == len(own) == len(unconditioned) * pictures * repeats
    for row, (index, picture) in enumerate(zip(taken, own, strict=True)):
        is_un = unconditioned[row // (pictures * repeats)]
        assert picture == row % pictures
        assert index == (pictures + picture % empty if is_un else picture)


def test_counts_are_one_or_as_many_as_are_sampled():
    for count in (1, 3):
        check_count("anything", count, 3)
    with pytest.raises(
        ValueError, match="^mask has 2 masks, but 3 latents are sampled; use one for all, or exactly 3$"
    ):
        check_count("mask has 2 masks", 2, 3)


def test_only_value_errors_begin_with_the_owner():
    with pytest.raises(ValueError, match="^A Node: too many$"), problems_of("A Node"):
        raise ValueError("too many")
    with pytest.raises(RuntimeError, match="^out of memory$"), problems_of("A Node"):
        raise RuntimeError("out of memory")


@given(SIDES, SIDES, SIDES, SIDES, st.integers(1, 3))
def test_a_mask_on_a_grid_is_the_hosts_area_interpolation_to_the_last_bit(
    h: int, w: int, rows: int, columns: int, n: int
):
    mask = torch.rand(n, h, w, generator=torch.Generator().manual_seed(h * w))
    expected = functional.interpolate(mask[:, None], (rows, columns), mode="area")[:, 0]
    assert torch.equal(mask_on_grid(mask, (rows, columns)), expected)
    assert torch.equal(mask_on_grid(3 * mask - 1, (h, w)), (3 * mask - 1).clamp(0, 1))
