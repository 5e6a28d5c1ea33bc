"""Text looks back, an image at itself."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.unif2ace.hybrid_mask import PADDING, TEXT, hybrid_mask


def test_every_pair_against_a_plain_rule():
    kinds = torch.tensor([[0, 0, 1, 1, 2, 2, 2, 1, 3, 3, 1], [1, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0]])
    mask = hybrid_mask(kinds)
    for b, row in enumerate(kinds.tolist()):
        for i, looks in enumerate(row):
            for j, seen in enumerate(row):
                allowed = PADDING not in (looks, seen) and (j <= i or (looks == seen != TEXT))
                assert bool(mask[b, i, j]) == (allowed or i == j), (b, i, j)


def test_no_row_is_empty_so_that_softmax_has_no_nan():
    assert bool(hybrid_mask(torch.zeros(1, 5, dtype=torch.long)).any(-1).all())


@pytest.mark.parametrize("kinds", [torch.zeros(5, dtype=torch.long), torch.zeros(1, 5), torch.full((1, 3), -1)])
def test_other_kinds_are_an_error(kinds):
    with pytest.raises(ValueError, match="kinds has shape .* needed are whole numbers"):
        hybrid_mask(kinds)
