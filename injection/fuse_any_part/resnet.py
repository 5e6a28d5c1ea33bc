"""Variant B in a host's hooks: features are added inside ResNet blocks, and 16 picture tokens stand for the text.

Source: arXiv 2410.22771 and the public release's training program. What is added comes after the second GroupNorm,
before SiLU; the host hands no options to a norm, so the stage of a call is kept per thread while its UNet runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..unet.blocks import BLOCKS
from .addition import ATTENTION_OF, NAME_OF, Addition, Hook, Stage, block_size, to_out
from .residuals import Size, nearest_cells


class ResnetAddition(Addition):
    """What both modes share: the hook in ResNet blocks, and the picture tokens."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._running = threading.local()

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        places = {block.name: f"{block.resnet}.out_layers.0.forward" for block in BLOCKS}
        return {place: AfterNorm(self, name, previous(place)) for name, place in places.items()}

    def call_unet(self, stage: Stage | None, call: Callable[[], Any]) -> Any:
        before, self._running.stage = self.stage, stage
        try:
            return call()
        finally:
            self._running.stage = before

    @property
    def stage(self) -> Stage | None:
        """Of the call of the UNet that this thread is in."""
        return getattr(self._running, "stage", None)

    def after_norm(self, h: Tensor, name: str, stage: Stage) -> Tensor:
        """(rows, C, H, W) -> the same with the features."""
        raise NotImplementedError

    @torch.no_grad()
    def constants(self, name: str, stage: Stage, like: Tensor) -> Tensor:
        """(B + M, C, h, w): projected features times strength, in the block's type."""

        def make() -> Tensor:
            projected = self.adapter.project(name, self.residuals.patches.to(like.device))
            added = self.residuals.spread(projected, name).to(like.dtype)
            return added.transpose(1, 2).unflatten(2, self.residuals.grid).contiguous()

        return stage.kept.get((name, like.device), make)

    @torch.no_grad()
    def picture_tokens(self, stage: Stage, like: Tensor) -> Tensor:
        """(B + M, 16, context); those of unconditioned rows are the unconditioned features'."""

        def make() -> Tensor:
            tokens = self.adapter.context(self.residuals.tokens.to(like.device)).to(like.dtype)
            return torch.cat([tokens[:-1], tokens[-1:].expand(len(self.residuals.cells), -1, -1)])

        return stage.kept.get(("context", like.device), make)


class AfterNorm:
    """In the place of one norm's `forward`."""

    def __init__(self, addition: ResnetAddition, name: str, previous: Hook) -> None:
        self._addition, self._name, self._previous = addition, name, previous

    def __deepcopy__(self, memo: Any) -> AfterNorm:
        return self

    def __call__(self, *arguments: Any, **named: Any) -> Tensor:
        h, stage = self._previous(*arguments, **named), self._addition.stage
        return h if stage is None else self._addition.after_norm(h, self._name, stage)


class ReleasedResnet(ResnetAddition):
    """Nearest over the whole latent; the picture tokens instead of the text, whatever the strength."""

    def attention_patches(self) -> Mapping[str, Hook]:
        return {"attn2_patch": self.before_attention}

    def before_attention(
        self, n: Tensor, context: Tensor, value: Tensor, options: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """attn2_patch: keys and values come from the picture tokens."""
        stage = options.get(self.stage_key)
        if stage is None:
            return n, context, value
        tokens = self.picture_tokens(stage, n).index_select(0, stage.features)
        return n, tokens, tokens

    def after_norm(self, h: Tensor, name: str, stage: Stage) -> Tensor:
        size = (int(h.shape[-2]), int(h.shape[-1]))
        places = stage.kept.get(("nearest", size, stage.key), lambda: self._places(stage, size, h.device))
        chunks = self.constants(name, stage, h).index_select(0, stage.features).chunk(len(places))
        laid = [
            added.index_select(3, columns).index_select(2, rows)
            for added, (rows, columns) in zip(chunks, places, strict=True)
        ]
        return h + (laid[0] if len(laid) == 1 else torch.cat(laid))

    def _places(self, stage: Stage, size: Size, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """Rows and columns of the grid for every chunk, or once when all chunks see the same window."""
        extents = stage.extents if len(set(stage.extents)) > 1 else stage.extents[:1]
        cells = [nearest_cells(self.residuals.grid, size, extent) for extent in extents]
        return [(rows.to(device), columns.to(device)) for rows, columns in cells]


class PracticalResnet(ResnetAddition):
    """Smooth and within the view only; attention to the picture tokens is added to that to the text."""

    def attention_patches(self) -> Mapping[str, Hook]:
        return {"attn2_patch": self.before_attention, "attn2_output_patch": self.after_attention}

    def before_attention(
        self, n: Tensor, context: Tensor, value: Tensor, options: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """attn2_patch: the block's queries are kept until its attention is done."""
        if self.stage_key in options:
            options[self._queries_key] = n
        return n, context, value

    def after_attention(self, n: Tensor, options: dict[str, Any]) -> Tensor:
        """attn2_output_patch: (rows, H*W, C) -> the same with attention to the picture tokens, times strength."""
        stage, name = options.get(self.stage_key), NAME_OF.get(tuple(options.get("block", ()))[:2])
        if stage is None or name is None or not self.residuals.acts(name):
            return n
        size, queries = block_size(options), options.pop(self._queries_key)
        made = stage.kept.get(("attention", name, n.device), lambda: self._folded(name, stage, n))
        scores, values = (half.index_select(0, stage.features) for half in made)
        shares = torch.matmul(queries, scores.flatten(2)).unflatten(-1, scores.shape[2:]).softmax(-1).flatten(2)
        weight = stage.kept.get(("strength", size, stage.key), lambda: self._strength(stage, size, n))
        return torch.baddbmm(n, shares * (weight * self.residuals.blocks[name]), values)

    @torch.no_grad()
    def _folded(self, name: str, stage: Stage, like: Tensor) -> tuple[Tensor, Tensor]:
        """(B + M, C, heads, 16) and (B + M, heads * 16, C): the block's attention to the picture tokens.

        The tokens are few and the same in every step, so that W_q K^T and V W_out are smaller than W_q and W_out:
        softmax(n (W_q K^T) / sqrt(d)) (V W_out). Layers are called, so that weights that are cast or patched count.
        """
        attention, last = stage.unet.get_submodule(ATTENTION_OF[name]), to_out(stage, name)
        tokens, heads = self.picture_tokens(stage, like), attention.heads
        query = attention.to_q(torch.eye(like.shape[-1], dtype=like.dtype, device=like.device))
        width = query.shape[-1] // heads
        keys = attention.to_k(tokens).unflatten(-1, (heads, width))
        values = attention.to_v(tokens).unflatten(-1, (heads, width))
        scores = torch.einsum("chd,bthd->bcht", query.unflatten(-1, (heads, width)), keys) / width**0.5
        # One row for each head and token, empty but for that head's part.
        alone = torch.einsum("bthd,hg->bhtgd", values, torch.eye(heads, dtype=values.dtype, device=values.device))
        laid = last(alone.flatten(3).flatten(1, 2))
        return scores, laid - last(torch.zeros_like(laid[:1, :1]))

    def after_norm(self, h: Tensor, name: str, stage: Stage) -> Tensor:
        if not self.residuals.acts(name):
            return h
        height, width = h.shape[-2:]
        size = (int(height), int(width))
        down, across, mask = stage.kept.get(("laid", size, stage.key), lambda: self._laid(stage, size, h))
        added = self.constants(name, stage, h).index_select(0, stage.features)
        laid = torch.matmul(torch.matmul(down[:, None], added), across.transpose(1, 2)[:, None])
        return h + (laid if mask is None else laid * mask)

    @property
    def _queries_key(self) -> str:
        return f"{self.stage_key}_queries"

    def _laid(self, stage: Stage, size: Size, h: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        down, across = self.row_windows(stage, size, h)
        mask = self.row_mask(stage, size, h)
        return down, across, None if mask is None else mask.view(len(h), 1, *size)

    def _strength(self, stage: Stage, size: Size, n: Tensor) -> Tensor:
        """(rows, H*W, 1): the cells' strength, laid over the block, times the mask."""
        down, across = self.row_windows(stage, size, self.residuals.cells)
        cells = self.residuals.cells[stage.pictures.cpu() % len(self.residuals.cells)].unflatten(1, self.residuals.grid)
        weight = (down @ cells @ across.transpose(1, 2)).flatten(1)[..., None].to(n)
        mask = self.row_mask(stage, size, n)
        return weight if mask is None else weight * mask
