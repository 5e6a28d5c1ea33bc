"""Holes filled with mirror images."""

from __future__ import annotations

import torch
from face_part_fusion.fusion.mirror_fill import fill_with_mirrored, nearest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

CELLS = st.tuples(st.integers(2, 12), st.integers(2, 12)).flatmap(lambda size: arrays("bool", size))


@settings(deadline=None, max_examples=60)
@given(cells=CELLS)
def test_the_nearest_cell_is_about_as_near_as_by_looking_at_all(cells):
    cells = torch.from_numpy(cells)
    if not bool(cells.any()):
        return
    found = nearest(cells)
    rows, columns = found.long()
    assert bool(cells[rows, columns].all())
    spots = torch.stack(torch.meshgrid(*map(torch.arange, cells.shape), indexing="ij")).float()
    distance = (found - spots).norm(dim=0)
    least = torch.cdist(spots.flatten(1).T, cells.nonzero().float()).amin(1).view(cells.shape)
    # Jump flooding misses the very nearest now and then, by little.
    assert bool((distance <= least + 1.01).all())


@settings(deadline=None, max_examples=30)
@given(
    picture=arrays("float32", (9, 14, 3), elements=st.floats(0.25, 1, width=32)),
    known=arrays("bool", (9, 14)),
)
def test_a_hole_shows_nothing_but_what_is_known(picture, known):
    picture, known = torch.from_numpy(picture), torch.from_numpy(known)
    filled = fill_with_mirrored(picture, known)
    if not bool(known.any()):
        assert torch.equal(filled, picture)
        return
    assert torch.allclose(filled[known], picture[known], atol=1e-6)
    assert bool((filled >= picture[known].amin(0) - 1e-3).all())
    assert bool((filled <= picture[known].amax(0) + 1e-3).all())


def test_a_pattern_goes_on_and_grain_stays():
    torch.manual_seed(0)
    picture = torch.rand(120, 160, 3) * 0.1 + (torch.arange(120) // 10 % 2)[:, None, None] * 0.8
    known = torch.ones(120, 160, dtype=torch.bool)
    known[:, 60:100] = False
    filled = fill_with_mirrored(picture, known)
    hole = filled[10:110, 65:95]
    assert (hole.mean(1) - picture[10:110, :60].mean(1)).abs().max() < 0.15
    # Within a stripe: a smooth filling would have a hundredth of it.
    assert float(hole[3:7].std(1).mean()) > 0.6 * float(picture[13:17, :60].std(1).mean())
