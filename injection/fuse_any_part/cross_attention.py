"""Variant A in a host's hooks: features are added at the output of every cross-attention.

Source: arXiv 2410.22771 and the public release's inference program. `to_out` acts on each token alone, so it is done
on the grid's cells, once, and only the result is laid over the block in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..unet.blocks import BLOCKS
from .addition import ATTENTION_OF, NAME_OF, Addition, Hook, Stage, block_size, to_out
from .residuals import Extent, Size, nearest_cells


class CrossAttentionAddition(Addition):
    """What both modes share: one hook after attention, and what goes into `to_out`."""

    def attention_patches(self) -> Mapping[str, Hook]:
        return {"attn2_output_patch": self.after_attention}

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        return {}

    def after_attention(self, n: Tensor, options: dict[str, Any]) -> Tensor:
        """attn2_output_patch: (rows, H*W, C) -> the same with the features."""
        stage, name = options.get(self.stage_key), NAME_OF.get(tuple(options.get("block", ()))[:2])
        return n if stage is None or name is None else self.add(n, name, stage, block_size(options))

    def add(self, n: Tensor, name: str, stage: Stage, size: Size) -> Tensor:
        raise NotImplementedError

    def projected(self, name: str, stage: Stage, like: Tensor) -> Tensor:
        """What goes into `to_out`, (B + M, h*w, C): projected features times strength, in the block's type."""
        patches = self.residuals.patches
        features = stage.kept.get(("features", like.device), lambda: self.adapter.features(patches.to(like.device)))
        return self.residuals.spread(self.adapter.project(name, features), name).to(like.dtype)


class ReleasedCrossAttention(CrossAttentionAddition):
    """Instead of attention: to_out(nearest(strength * projection)) on the whole latent."""

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        names = {block.name: f"{ATTENTION_OF[block.name]}.forward" for block in BLOCKS}
        return {place: NoAttention(self.stage_key, name, previous(place)) for name, place in names.items()}

    def add(self, n: Tensor, name: str, stage: Stage, size: Size) -> Tensor:
        constants = self._constants(name, stage, n)
        laid = constants.flatten(0, 1).index_select(0, self._index(stage, size)).view(len(n), -1, constants.shape[-1])
        left_out = stage.left_out.pop(name, None)
        # Without one, another node replaced attention, text and all, and its result has no place here. With one, `n`
        # holds what others have added to it.
        return laid if left_out is None or n is left_out else laid + n

    @torch.no_grad()
    def _constants(self, name: str, stage: Stage, n: Tensor) -> Tensor:
        return stage.kept.get((name, n.device), lambda: to_out(stage, name)(self.projected(name, stage, n)))

    def _index(self, stage: Stage, size: Size) -> Tensor:
        """(rows * H*W,): places in the constants, the cells of all features in one line."""
        h, w = self.residuals.grid

        def cells(extent: Extent, pictures: Tensor) -> Tensor:
            rows, columns = nearest_cells((h, w), size, extent)
            return (rows[:, None] * w + columns).flatten().expand(len(pictures), -1)

        def make() -> Tensor:
            laid = stage.per_chunk(cells).to(stage.features)
            return (stage.features[:, None] * (h * w) + laid).flatten()

        return stage.kept.get(("index", size, stage.key), make)


class NoAttention:
    """In the place of one attention's `forward`: nothing is computed while the addition acts."""

    def __init__(self, stage_key: str, name: str, previous: Hook) -> None:
        self._stage_key, self._name, self._previous = stage_key, name, previous

    def __deepcopy__(self, memo: Any) -> NoAttention:
        return self

    def __call__(self, x: Tensor, *arguments: Any, transformer_options: Any = None, **named: Any) -> Tensor:
        stage = (transformer_options or {}).get(self._stage_key)
        if stage is None:
            return self._previous(x, *arguments, transformer_options=transformer_options or {}, **named)
        nothing = stage.left_out[self._name] = x.new_zeros(1, 1, 1).expand_as(x)
        return nothing


class PracticalCrossAttention(CrossAttentionAddition):
    """Beside attention: n + lay(to_out(strength * projection) - to_out(0)), smooth, within the view only."""

    def add(self, n: Tensor, name: str, stage: Stage, size: Size) -> Tensor:
        if not self.residuals.acts(name):
            return n
        (height, width), (h, w) = size, self.residuals.grid
        down, across = stage.kept.get(("windows", size, stage.key), lambda: self.row_windows(stage, size, n))
        rows = self._constants(name, stage, n).index_select(0, stage.features)
        lines = torch.matmul(down, rows.view(len(n), h, -1)).view(len(n), height, w, -1)
        mask = stage.kept.get(("mask", size, stage.key), lambda: self.row_mask(stage, size, n))
        if mask is not None:
            return n + torch.matmul(across[:, None], lines).flatten(1, 2) * mask
        lines, across = lines.flatten(0, 1), across[:, None].expand(-1, height, -1, -1).flatten(0, 1)
        return torch.baddbmm(n.reshape(-1, width, n.shape[-1]), across, lines).view_as(n)

    @torch.no_grad()
    def _constants(self, name: str, stage: Stage, n: Tensor) -> Tensor:
        def make() -> Tensor:
            last, inside = to_out(stage, name), self.projected(name, stage, n)
            return last(inside) - last(torch.zeros_like(inside[:1, :1]))

        return stage.kept.get((name, n.device), make)
