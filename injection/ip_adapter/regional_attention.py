"""Several references steer one model, each part inside its own region of the target.

out(query) = base(query) + sum over references r of strength_r * mask_r(query) * Attention(query, keys_r, values_r)

Source: IP-Adapter (arXiv 2308.06721), equation 5, with a mask and a strength for every added attention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..sampling.grid_masks import WHOLE, Size, Window, block_grid, check_shape, is_everywhere, mask_on_grid
from ..sampling.rows import Rows, check_count
from ..sampling.run import SamplingPatch, SamplingRun, problems_of
from ..sampling.span import WHOLE_RUN, Span
from .adapter import IPAdapter

# (q, k, v), each (rows, n, C), and the number of heads -> (rows, n of q, C).
Attention = Callable[[Tensor, Tensor, Tensor, int], Tensor]


@dataclass(frozen=True, eq=False)
class Steering:
    """One part of one reference, and where it acts.

    `name`: for messages. `tokens`: (B or 1, n, C) of the encoder. `unconditioned`: (1, n, C), what the negative prompt
    gets. `mask`: (B or 1, H, W) in 0..1 over the whole picture, (1, 1, 1) for everywhere. `strength`: >= 0.
    """

    name: str
    tokens: Tensor
    unconditioned: Tensor
    mask: Tensor
    strength: float


@dataclass(frozen=True, eq=False)
class ReachedQueries:
    """The queries of one grid that one steering's masks reach.

    `index`: (Q,) int64, None for all. `weight`: (windows, masks, Q, 1); one window where all chunks have the same.
    """

    index: Tensor | None
    weight: Tensor


class RegionalAttention(SamplingPatch):
    """Attention to all steerings; keys, values and masks are computed once in a sampling run.

    Unconditioned rows get the tokens of an empty picture. A query that no mask reaches keeps its base exactly. `span`:
    in which part of a sampling run the references act. `owner`: the node, for messages.
    """

    def __init__(
        self, adapter: IPAdapter, steerings: Sequence[Steering], attention: Attention, *, span: Span = WHOLE_RUN,
        owner: str = "IP-Adapter",
    ) -> None:  # fmt: skip
        super().__init__(owner, span)
        self._adapter, self._attention = adapter, attention
        self.steerings = tuple(steerings)
        self._acting = [s for s in steerings if s.strength > 0 and bool((s.mask > 0).any())]

    def check_latents(self, noise: Tensor) -> None:
        """Raises ValueError for counts or a shape that do not fit."""
        for steering in self.steerings:
            _check_counts(steering, len(noise))
            check_shape(steering.name, steering.mask, noise)

    def add(self, base: Tensor, queries: Tensor, layer: int, factor: float, options: Mapping[str, Any]) -> Tensor:
        """The output of one cross-attention with every steering added.

        `base`: (rows, n, C), the output so far; returned itself where nothing is added. `queries`: (rows, n, C).
        `layer`: the number of the cross-attention in the adapter. `factor`: on every strength. `options`: the host's,
        with sigmas, cond_or_uncond, activations_shape and n_heads.
        """
        run = self.run_of(options)
        if not run.acts(options):
            return base
        with problems_of(self.owner):
            return self._added(base, queries, layer, factor, options, run)

    def _added(
        self, base: Tensor, queries: Tensor, layer: int, factor: float, options: Mapping[str, Any], run: SamplingRun
    ) -> Tensor:
        grid, rows, out = block_grid(options), run.rows(options, len(queries)), base
        if grid[0] * grid[1] != queries.shape[1]:
            raise ValueError(
                f"there are {queries.shape[1]} queries on a grid of {grid[0]} x {grid[1]}: another node merges or "
                "drops tokens of the cross-attention; leave it out"
            )
        for number, steering in enumerate(self._acting):
            windows = (WHOLE,) if is_everywhere(steering.mask) else run.windows(options)
            reached = self._reached(number, steering, grid, windows, queries, run)
            if reached is None:
                continue
            keys, values = self._keys_values(number, steering, layer, rows, queries, run)
            chosen = queries if reached.index is None else queries.index_select(1, reached.index)
            weight = _weight_of_rows(reached.weight, rows, run)
            added = self._attention(chosen, keys, values, options["n_heads"]) * (weight * factor)
            out = _sum(out, added, reached.index, in_place=out is not base)
        return out

    def _reached(
        self, number: int, steering: Steering, grid: Size, windows: tuple[Window, ...], like: Tensor, run: SamplingRun
    ) -> ReachedQueries | None:
        key = ("reached", number, grid, windows, like.device, like.dtype)
        return run.keep(key, lambda: reached_queries(steering.mask, steering.strength, grid, like, windows))

    def _keys_values(
        self, number: int, steering: Steering, layer: int, rows: Rows, like: Tensor, run: SamplingRun
    ) -> tuple[Tensor, Tensor]:
        """(rows, n, C) each, for this make-up of the batch."""

        def make() -> tuple[Tensor, Tensor]:
            tokens = run.keep(("tokens", number, like.device), lambda: self._image_tokens(steering, like.device))
            keys, values = self._adapter.keys_values(layer, tokens)
            return keys.to(like.dtype), values.to(like.dtype)

        def taken() -> Tensor:
            _check_counts(steering, rows.latents)
            return torch.tensor(rows.take(len(steering.tokens)), device=like.device)

        keys, values = run.keep((number, layer, like.device, like.dtype), make)
        index = run.keep_of_rows(rows, ("taken", number, like.device), taken)
        return keys[index], values[index]

    def _image_tokens(self, steering: Steering, device: torch.device) -> Tensor:
        """(B + 1, n, context): of every picture of the reference, then of the empty picture."""
        both = torch.cat([steering.tokens, steering.unconditioned.to(steering.tokens)])
        return self._adapter.image_tokens(both.to(device, torch.float32))


def reached_queries(
    mask: Tensor, strength: float, grid: Size, like: Tensor, windows: Sequence[Window] = (WHOLE,)
) -> ReachedQueries | None:
    """`mask` (B, H, W) on the queries of `grid` (h, w), times `strength`; None when it reaches none of them.

    A query's weight is the share of its cell that the mask covers. `windows`: what the grid covers, one for all chunks
    of rows or one for each.
    """
    weight = torch.stack([mask_on_grid(mask, grid, window).flatten(1) for window in windows])
    reached = (weight > 0).flatten(0, 1).any(0)
    if not bool(reached.any()):
        return None
    index = None if bool(reached.all()) else torch.nonzero(reached).flatten().to(like.device)
    weight = weight if index is None else weight[..., reached]
    return ReachedQueries(index, (weight * strength)[..., None].to(like.device, like.dtype))


def _weight_of_rows(weight: Tensor, rows: Rows, run: SamplingRun) -> Tensor:
    """(windows, masks, Q, 1) -> (rows, Q, 1), or (1, Q, 1) where all rows have the same."""
    windows, masks = weight.shape[:2]
    if windows == masks == 1:
        return weight[0]

    def make() -> tuple[Tensor, Tensor]:
        chunks = [chunk % windows for chunk in range(len(rows.unconditioned)) for _ in rows.indices]
        return torch.tensor(chunks, device=weight.device), torch.tensor(rows.pictures(masks), device=weight.device)

    return weight[run.keep_of_rows(rows, ("weight", windows, masks, weight.device), make)]


def _check_counts(steering: Steering, latents: int) -> None:
    """Raises ValueError unless tokens and mask serve this number of sampled latents."""
    tokens, masks = len(steering.tokens), len(steering.mask)
    check_count(f"{steering.name} comes from {tokens} pictures of the reference", tokens, latents)
    check_count(f"{steering.name} has regions of {masks} target pictures", masks, latents)


def _sum(out: Tensor, added: Tensor, index: Tensor | None, in_place: bool) -> Tensor:
    """The base may be another patch's own tensor, so only a sum that was made here is added to in place."""
    if index is None:
        return out.add_(added) if in_place else out + added
    return out.index_add_(1, index, added) if in_place else out.index_add(1, index, added)
