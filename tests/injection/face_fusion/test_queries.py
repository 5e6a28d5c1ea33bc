"""Which queries look at whom, and with which weight."""

from __future__ import annotations

import math

import pytest
import torch
from face_part_fusion.injection.face_fusion.people import FacePerson, Reference, references_of, sentence_of
from face_part_fusion.injection.face_fusion.queries import Pieces, pieces_of
from face_part_fusion.injection.sampling.grid_masks import WHOLE
from face_part_fusion.injection.sampling.rows import Rows
from torch import Tensor

EVERYWHERE = torch.ones(1, 1, 1)
# The negative prompt first, then the positive one, of two latents each.
ROWS = Rows((True, False), (0, 1), 2)
GRID = (2, 4)


def people(*regions: Tensor, strength: float = 1.0) -> list[FacePerson]:
    picture = torch.zeros(1, 8, 8, 3)
    return [FacePerson(f"person {i}", (picture,), (None,), strength, region) for i, region in enumerate(regions)]


def found(*regions: Tensor, rows: Rows = ROWS, grid: tuple[int, int] = GRID, **how: float) -> Pieces:
    everybody = people(*regions, **how)
    references = references_of(everybody, [[torch.zeros(1, 4, 1, 1)]] * len(everybody), True)
    return pieces_of(everybody, references, rows, grid, (WHOLE,), False)


def columns(*values: float) -> Tensor:
    return torch.tensor(values).repeat_interleave(8).expand(1, 16, -1).contiguous()


def matrix(pieces: Pieces, references: int, queries: int = 8, rows: int = 4) -> Tensor:
    """(rows, queries, references): M, of the references alone; fails where a query is in two pieces."""
    m = torch.full((rows, queries, references), -math.inf)
    for piece in pieces.pieces:
        own = torch.arange(queries) if piece.queries is None else piece.queries
        logs = torch.zeros(1, len(piece.references)) if piece.log_weights is None else piece.log_weights
        for row in piece.rows.tolist():
            assert bool(m[row, own].isinf().all())
            for i, reference in enumerate(piece.references):
                m[row, own, reference] = logs[:, i]
    return m


def test_a_person_everywhere_takes_all_queries_of_conditioned_rows_without_a_mask():
    pieces = found(EVERYWHERE, grid=(1, 1))
    (piece,) = pieces.pieces
    assert piece.queries is None and piece.log_weights is None and piece.rows.tolist() == [2, 3]
    assert pieces.untouched is not None and pieces.untouched.tolist() == [0, 1]


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_weights_are_logarithms_of_strength_times_coverage(strength: float):
    left, right = columns(1, 1, 0, 0), columns(0, 0.25, 1, 0)
    m = matrix(found(left, right, strength=strength), 2)
    expected = torch.tensor([[1, 0], [1, 0.25], [0, 1], [0, 0]]).mul(strength).log().repeat(2, 1)
    assert torch.equal(m[0], torch.full_like(m[0], -math.inf)) and torch.allclose(m[2], expected)
    assert torch.equal(m[2], m[3])


def test_rows_with_a_query_that_looks_at_nobody_are_computed_as_before():
    assert found(columns(1, 1, 0, 0)).untouched is None
    untouched = found(columns(1, 1, 0, 0), columns(0, 0, 1, 1)).untouched
    assert untouched is not None and untouched.tolist() == [0, 1]


def test_each_picture_of_a_batch_has_its_own_region():
    m = matrix(found(torch.cat([columns(1, 1, 1, 1), columns(0, 0, 0, 1)])), 1)
    assert (m[2] == 0).all() and (m[3] == 0).flatten().tolist() == [False, False, False, True] * 2


def test_a_black_region_in_this_picture_touches_nothing():
    pieces = found(torch.cat([columns(0, 0, 0, 0), columns(0, 0, 0, 0.5)]))
    assert [piece.rows.tolist() for piece in pieces.pieces] == [[3]]


def test_many_soft_queries_are_computed_a_part_at_a_time():
    ramp = (torch.arange(64 * 64).reshape(1, 64, 64) + 1) / 4097
    pieces = found(ramp, rows=Rows((False,), (0,), 1), grid=(64, 64)).pieces
    assert max(len(piece.queries) for piece in pieces if piece.queries is not None) <= 512
    assert sum(len(piece.queries) for piece in pieces if piece.queries is not None) == 64 * 64


def test_photographs_of_one_person_share_the_weight_or_not():
    (person,) = people(EVERYWHERE)
    person = FacePerson("p", person.pictures * 3, (None,) * 3, 1.0, EVERYWHERE)
    latents = [[torch.zeros(1, 4, 1, 1)] * 3]
    shared, full = (references_of([person], latents, balance) for balance in (True, False))
    assert sum(math.exp(each.log_share) for each in shared) == pytest.approx(1)
    assert [each.log_share for each in full] == [0, 0, 0] and all(isinstance(each, Reference) for each in full)


def test_the_sentence_names_pictures_in_order():
    assert sentence_of([1, 2]) == "Image 1 shows the first person. Images 2 to 3 show the second person."
