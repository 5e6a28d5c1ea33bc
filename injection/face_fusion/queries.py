"""Which queries of a call look at which people, and with which weight.

M(query, token of person p) = log(strength_p * region_p(query)), and -inf where that product is 0. Queries with the same
people are computed together with the tokens of these people only, which is what -inf means, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..sampling.grid_masks import Size, Window, is_everywhere, mask_on_grid
from ..sampling.rows import Rows
from .people import FacePerson, Reference

# Queries with weights of their own that are computed at once: some attentions lay out their scores for all heads.
_SOFT_QUERIES = 512


class Piece(NamedTuple):
    """Queries that look at the same references.

    `rows`: (R,) int64, rows of the call. `queries`: (Q,) int64, None for all. `references`: their numbers.
    `log_weights`: (Q, references), or (1, references) where all queries have the same; None where all are 0.
    """

    rows: Tensor
    queries: Tensor | None
    references: tuple[int, ...]
    log_weights: Tensor | None


class Pieces(NamedTuple):
    """`pieces` of one call. `untouched`: (R,) the rows in which some query looks at nobody, None for all rows."""

    pieces: tuple[Piece, ...]
    untouched: Tensor | None

    def to(self, device: torch.device) -> Pieces:
        return Pieces(
            tuple(Piece(*(_moved(each, device) for each in p)) for p in self.pieces), _moved(self.untouched, device)
        )


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


def everywhere(people: Sequence[FacePerson]) -> bool:
    """Whether nobody has a region, so that it does not matter where a query lies."""
    return all(is_everywhere(person.region) for person in people)


def pieces_of(
    people: Sequence[FacePerson], references: Sequence[Reference], rows: Rows, grid: Size, windows: Sequence[Window],
    unconditioned: bool,
) -> Pieces:  # fmt: skip
    """The pieces of a call.

    `people`: all of them act. `references`: all photographs of theirs.
    `grid`: height and width of the block; (1, 1) where nobody has a region.
    `windows`: what the grid covers, one for all chunks of rows or one for each.
    `unconditioned`: whether rows of the negative prompt look at people too.
    """
    pieces: list[Piece] = []
    covered: set[int] = set()
    total = len(rows.unconditioned) * len(rows.indices)
    for (window, pictures), members in _alike(people, rows, len(windows), unconditioned).items():
        weights = _weights(people, pictures, grid, windows[window])
        pieces += _by_people(weights, references, torch.tensor(members), everywhere(people))
        if bool((weights > 0).any(1).all()):
            covered.update(members)
    if not covered:
        return Pieces(tuple(pieces), None)
    return Pieces(tuple(pieces), torch.tensor([r for r in range(total) if r not in covered], dtype=torch.int64))


def _alike(
    people: Sequence[FacePerson], rows: Rows, windows: int, unconditioned: bool
) -> dict[tuple[int, tuple[int, ...]], list[int]]:
    """(number of the window, which of its masks each person takes) -> the rows with these."""
    pictures = list(zip(*(rows.pictures(len(person.region)) for person in people), strict=True))
    alike: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for row, own in enumerate(pictures):
        chunk = row // len(rows.indices)
        if unconditioned or not rows.unconditioned[chunk]:
            alike.setdefault((chunk % windows, own), []).append(row)
    return alike


def _weights(people: Sequence[FacePerson], pictures: Sequence[int], grid: Size, window: Window) -> Tensor:
    """(queries, people) float32."""
    masks = [
        person.region[i : i + 1].float().expand(1, *grid) if is_everywhere(person.region)
        else mask_on_grid(person.region[i : i + 1], grid, window)
        for person, i in zip(people, pictures, strict=True)
    ]  # fmt: skip
    strengths = torch.tensor([person.strength for person in people])
    return torch.cat(masks).flatten(1).T * strengths


def _by_people(weights: Tensor, references: Sequence[Reference], rows: Tensor, whole: bool) -> Iterator[Piece]:
    """`weights` (queries, people) -> pieces. `whole`: the one query stands for all."""
    for reached in torch.unique(weights > 0, dim=0):
        chosen = tuple(i for i, reference in enumerate(references) if reached[reference.person])
        if not chosen:
            continue
        queries = torch.nonzero(((weights > 0) == reached).all(1)).flatten()
        logs = weights[queries][:, [references[i].person for i in chosen]].log()
        logs = logs + torch.tensor([references[i].log_share for i in chosen])
        values, which, counts = torch.unique(logs, dim=0, return_inverse=True, return_counts=True)
        most = int(counts.argmax())
        alike = None if whole or counts[most] == len(weights) else queries[which == most]
        yield Piece(rows, alike, chosen, values[most : most + 1] if bool(values[most].any()) else None)
        for part in torch.nonzero(which != most).flatten().split(_SOFT_QUERIES):
            if len(part):
                yield Piece(rows, queries[part], chosen, logs[part])
