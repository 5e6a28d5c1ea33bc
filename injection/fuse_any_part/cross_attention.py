"""Variant A in a host's hooks: features are added at the output of every cross-attention.

Source: arXiv 2410.22771 and the public release's inference program. `to_out` acts on each token alone, so it runs once,
on the grid's cells, and only its result is laid over the block in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..sampling.grid_masks import Size, Window, block_grid
from ..unet.blocks import BLOCKS
from .addition import ATTENTION_OF, NAME_OF, Addition, Hook, UNetCall, to_out
from .residuals import nearest_cells


class CrossAttentionAddition(Addition):
    """What both modes share: one hook after attention, and what goes into `to_out`.

    In the hooks `hidden` (rows, H*W, C) is what cross-attention gives.
    """

    def attention_patches(self) -> Mapping[str, Hook]:
        return {"attn2_output_patch": self.after_attention}

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        return {}

    def after_attention(self, hidden: Tensor, options: dict[str, Any]) -> Tensor:
        """attn2_output_patch: the hidden states with the features."""
        call, block = options.get(self.call_key), NAME_OF.get(tuple(options.get("block", ()))[:2])
        return hidden if call is None or block is None else self.add(hidden, block, call, block_grid(options))

    def add(self, hidden: Tensor, block: str, call: UNetCall, size: Size) -> Tensor:
        raise NotImplementedError

    def projected(self, block: str, call: UNetCall, like: Tensor) -> Tensor:
        """What goes into `to_out`, (B + M, h*w, C): projected features times strength, in the dtype of `like`."""
        patches = self.residuals.patches
        features = call.run.keep(("features", like.device), lambda: self.adapter.features(patches.to(like.device)))
        return self.residuals.spread(self.adapter.project(block, features), block).to(like.dtype)


class ReleasedCrossAttention(CrossAttentionAddition):
    """Instead of attention: to_out(nearest(strength * projection)) on the whole latent."""

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        paths = {block.name: f"{ATTENTION_OF[block.name]}.forward" for block in BLOCKS}
        return {path: NoAttention(self.call_key, block, previous(path)) for block, path in paths.items()}

    def add(self, hidden: Tensor, block: str, call: UNetCall, size: Size) -> Tensor:
        constants = self._constants(block, call, hidden)
        cells = constants.flatten(0, 1).index_select(0, self._index(call, size))
        added = cells.view(len(hidden), -1, constants.shape[-1])
        left_out = call.left_out.pop(block, None)
        # Without one, another node replaced attention, text and all, and its result is dropped. With one, `hidden`
        # holds what others have added to it.
        return added if left_out is None or hidden is left_out else added + hidden

    @torch.no_grad()
    def _constants(self, block: str, call: UNetCall, like: Tensor) -> Tensor:
        return call.run.keep((block, like.device), lambda: to_out(call, block)(self.projected(block, call, like)))

    def _index(self, call: UNetCall, size: Size) -> Tensor:
        """(rows * H*W,): indices into the constants, the cells of all features in one line."""
        h, w = self.residuals.grid

        def cells(window: Window, pictures: Tensor) -> Tensor:
            rows, columns = nearest_cells((h, w), size, window)
            return (rows[:, None] * w + columns).flatten().expand(len(pictures), -1)

        def make() -> Tensor:
            return (call.features[:, None] * (h * w) + call.per_chunk(cells).to(call.features)).flatten()

        return call.keep(("index", size), make)


class NoAttention:
    """In the place of one attention's `forward`: nothing is computed while the addition acts."""

    def __init__(self, call_key: str, block: str, previous: Hook) -> None:
        self._call_key, self._block, self._previous = call_key, block, previous

    def __deepcopy__(self, memo: Any) -> NoAttention:
        return self

    def __call__(self, x: Tensor, *arguments: Any, transformer_options: Any = None, **named: Any) -> Tensor:
        call = (transformer_options or {}).get(self._call_key)
        if call is None:
            return self._previous(x, *arguments, transformer_options=transformer_options or {}, **named)
        nothing = call.left_out[self._block] = x.new_zeros(1, 1, 1).expand_as(x)
        return nothing


class PracticalCrossAttention(CrossAttentionAddition):
    """Beside attention: hidden + lay(to_out(strength * projection) - to_out(0)), smooth, within the view only."""

    def add(self, hidden: Tensor, block: str, call: UNetCall, size: Size) -> Tensor:
        if not self.residuals.acts(block):
            return hidden
        (height, width), (h, w) = size, self.residuals.grid
        down, across = call.keep(("weights", size), lambda: self.row_weights(call, size, hidden))
        rows = self._constants(block, call, hidden).index_select(0, call.features)
        lines = torch.matmul(down, rows.view(len(hidden), h, -1)).view(len(hidden), height, w, -1)
        mask = call.keep(("mask", size), lambda: self.row_mask(call, size, hidden))
        if mask is not None:
            return hidden + torch.matmul(across[:, None], lines).flatten(1, 2) * mask
        lines, across = lines.flatten(0, 1), across[:, None].expand(-1, height, -1, -1).flatten(0, 1)
        return torch.baddbmm(hidden.reshape(-1, width, hidden.shape[-1]), across, lines).view_as(hidden)

    @torch.no_grad()
    def _constants(self, block: str, call: UNetCall, like: Tensor) -> Tensor:
        def make() -> Tensor:
            last, inside = to_out(call, block), self.projected(block, call, like)
            return last(inside) - last(torch.zeros_like(inside[:1, :1]))

        return call.run.keep((block, like.device), make)
