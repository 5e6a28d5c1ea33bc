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

from ..sampling.conditionings import chunks_of
from ..sampling.one_sampling import OneSampling, check_shape, mask_tokens, rows_of
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
class Cells:
    """The queries of one grid that one mask reaches. `index`: (Q,) int64, None for all. `weight`: (B or 1, Q, 1)."""

    index: Tensor | None
    weight: Tensor


class RegionalAttention:
    """Keys, values and masks of all steerings, computed once per sampling and kept until `forget`.

    Rows of a batch come in chunks, one for each conditioning, with a row per picture; chunks of the negative prompt
    (`guided.chunks_of`) get the tokens of an empty picture. A query that no mask reaches keeps its base exactly.
    `start`, `end`: the part of the sampling, 0..1, in which it acts; raises ValueError when the end does not come after
    the start.
    """

    def __init__(
        self, adapter: IPAdapter, steerings: Sequence[Steering], attention: Attention, *, start: float = 0.0,
        end: float = 1.0,
    ) -> None:  # fmt: skip
        self._adapter, self._attention, self._sampling = adapter, attention, OneSampling(start, end)
        self._keep, self.acts, self.forget = self._sampling.keep, self._sampling.acts, self._sampling.forget
        self._steerings = [s for s in steerings if s.strength > 0 and bool((s.mask > 0).any())]
        self._all = tuple(steerings)

    def begin(self, noise: Tensor, percent_to_sigma: Callable[[float], Any]) -> None:
        """As OneSampling.begin. Raises ValueError for counts or a shape that do not fit."""
        for steering in self._all:
            check_batch(steering, len(noise))
            check_shape(steering.name, steering.mask, noise)
        self._sampling.begin(noise, percent_to_sigma)

    def add(self, base: Tensor, queries: Tensor, layer: int, factor: float, options: Mapping[str, Any]) -> Tensor:
        """What the `layer`-th cross-attention gives, both (rows, n, C) -> the same with every steering added.

        `factor`: on every strength. `options`: the host's, with cond_or_uncond, activations_shape and n_heads.
        """
        self._sampling.refuse_pieces(options)
        grid = (int(options["activations_shape"][-2]), int(options["activations_shape"][-1]))
        if grid[0] * grid[1] != queries.shape[1]:
            raise ValueError(
                f"Face Controller Apply met {queries.shape[1]} queries on a grid of {grid[0]} x {grid[1]}: another "
                "node merges or drops tokens of the cross-attention; leave it out"
            )
        chunks, out = chunks_of(options), base
        for number, steering in enumerate(self._steerings):
            cells = self._cells(number, steering, grid, queries)
            if cells is None:
                continue
            keys, values = self._keys_values(number, steering, layer, chunks, queries)
            some = queries if cells.index is None else queries.index_select(1, cells.index)
            weight = cells.weight.repeat(len(chunks), 1, 1) if len(cells.weight) > 1 else cells.weight
            added = self._attention(some, keys, values, options["n_heads"]) * (weight * factor)
            out = _added(out, added, cells.index, fresh=out is not base)
        return out

    def _cells(self, number: int, steering: Steering, grid: tuple[int, int], like: Tensor) -> Cells | None:
        key = ("cells", number, grid, like.device, like.dtype)
        return self._keep(key, lambda: cells_of(steering.mask, steering.strength, grid, like))

    def _keys_values(
        self, number: int, steering: Steering, layer: int, chunks: tuple[int, ...], like: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Keys and values (rows, n, C) for this make-up of the batch."""
        pictures = len(like) // len(chunks)
        check_batch(steering, pictures)
        key = (number, layer, chunks, pictures, like.device, like.dtype)
        return self._keep(key, lambda: self._project(number, steering, layer, chunks, pictures, like))

    def _project(
        self, number: int, steering: Steering, layer: int, chunks: tuple[int, ...], pictures: int, like: Tensor
    ) -> tuple[Tensor, Tensor]:
        tokens = self._keep(("tokens", number, like.device), lambda: self._image_tokens(steering, like.device))
        keys, values = self._adapter.keys_values(layer, tokens)
        index = torch.tensor(rows_of(chunks, pictures, len(tokens) - 1), device=tokens.device)
        return keys.to(like.dtype)[index], values.to(like.dtype)[index]

    def _image_tokens(self, steering: Steering, device: torch.device) -> Tensor:
        """(B + 1, n, context): of every picture of the reference, then of the empty picture."""
        both = torch.cat([steering.tokens, steering.unconditioned.to(steering.tokens)])
        return self._adapter.image_tokens(both.to(device, torch.float32))


def cells_of(mask: Tensor, strength: float, grid: tuple[int, int], like: Tensor) -> Cells | None:
    """`mask` (B, H, W) on the queries of `grid` (h, w), times `strength`; None when it reaches none of them.

    A cell's weight is the share of it that the mask covers.
    """
    weight = mask_tokens(mask, grid)[..., 0]
    reached = (weight > 0).any(0)
    if not bool(reached.any()):
        return None
    index = None if bool(reached.all()) else torch.nonzero(reached).flatten().to(like.device)
    weight = weight if index is None else weight[:, reached]
    return Cells(index, (weight * strength)[..., None].to(like.device, like.dtype))


def check_batch(steering: Steering, pictures: int) -> None:
    """Raises ValueError unless tokens and mask serve this number of pictures."""
    for what, count in (("pictures of the reference", len(steering.tokens)), ("target pictures", len(steering.mask))):
        if count not in (1, pictures):
            raise ValueError(
                f"{steering.name}: there are {count} {what}, but {pictures} latents are sampled; use one for all, or "
                f"exactly {pictures}"
            )


def _added(out: Tensor, added: Tensor, index: Tensor | None, fresh: bool) -> Tensor:
    """The base may be another patch's own tensor, so only a sum that was made here is added to in place."""
    if index is None:
        return out.add_(added) if fresh else out + added
    return out.index_add_(1, index, added) if fresh else out.index_add(1, index, added)
