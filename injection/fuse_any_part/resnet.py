"""Variant B in a host's hooks: features are added inside ResNet blocks, and 16 picture tokens replace the text.

Source: arXiv 2410.22771 and the public release's training program. The features are added after the second GroupNorm,
before SiLU. The host hands no options to a norm, so each thread remembers its call of the UNet while that runs.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..sampling.grid_masks import Size, block_grid
from ..unet.blocks import BLOCKS
from .addition import ATTENTION_OF, NAME_OF, Addition, Hook, UNetCall, to_out
from .residuals import nearest_cells


class ResnetAddition(Addition):
    """What both modes share: the hook in ResNet blocks, and the picture tokens.

    In the hooks `h` (rows, C, H, W) is what the norm gives, `hidden` (rows, H*W, C) what goes into or comes out of
    cross-attention.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._thread = threading.local()

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        paths = {block.name: f"{block.resnet}.out_layers.0.forward" for block in BLOCKS}
        return {path: AfterNorm(self, block, previous(path)) for block, path in paths.items()}

    def call_unet(self, call: UNetCall | None, compute: Callable[[], Any]) -> Any:
        before, self._thread.call = self.call, call
        try:
            return compute()
        finally:
            self._thread.call = before

    @property
    def call(self) -> UNetCall | None:
        """The call of the UNet that this thread is in, if the addition acts in it."""
        return getattr(self._thread, "call", None)

    def after_norm(self, h: Tensor, block: str, call: UNetCall) -> Tensor:
        """(rows, C, H, W) -> the same with the features."""
        raise NotImplementedError

    @torch.no_grad()
    def constants(self, block: str, call: UNetCall, like: Tensor) -> Tensor:
        """(B + M, C, h, w): projected features times strength, in the dtype of `like`."""

        def make() -> Tensor:
            projected = self.adapter.project(block, self.residuals.patches.to(like.device))
            added = self.residuals.spread(projected, block).to(like.dtype)
            return added.transpose(1, 2).unflatten(2, self.residuals.grid).contiguous()

        return call.run.keep((block, like.device), make)

    @torch.no_grad()
    def picture_tokens(self, call: UNetCall, like: Tensor) -> Tensor:
        """(B + M, 16, context); those of unconditioned rows are the unconditioned features'."""

        def make() -> Tensor:
            tokens = self.adapter.context(self.residuals.tokens.to(like.device)).to(like.dtype)
            return torch.cat([tokens[:-1], tokens[-1:].expand(len(self.residuals.cells), -1, -1)])

        return call.run.keep(("context", like.device), make)


class AfterNorm:
    """In the place of one norm's `forward`.

    The host leaves it in the UNet after the patched model is gone, until the UNet is used again, so it must not keep
    the addition and its adapter alive.
    """

    def __init__(self, addition: ResnetAddition, block: str, previous: Hook) -> None:
        self._addition, self._block, self._previous = weakref.ref(addition), block, previous

    def __deepcopy__(self, memo: Any) -> AfterNorm:
        return self

    def __call__(self, *arguments: Any, **named: Any) -> Tensor:
        h, addition = self._previous(*arguments, **named), self._addition()
        call = None if addition is None else addition.call
        return h if addition is None or call is None else addition.after_norm(h, self._block, call)


class ReleasedResnet(ResnetAddition):
    """Nearest over the whole latent; the picture tokens instead of the text, whatever the strength."""

    def attention_patches(self) -> Mapping[str, Hook]:
        return {"attn2_patch": self.before_attention}

    def before_attention(
        self, hidden: Tensor, context: Tensor, value: Tensor, options: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """attn2_patch: keys and values come from the picture tokens."""
        call = options.get(self.call_key)
        if call is None:
            return hidden, context, value
        tokens = self.picture_tokens(call, hidden).index_select(0, call.features)
        return hidden, tokens, tokens

    def after_norm(self, h: Tensor, block: str, call: UNetCall) -> Tensor:
        size = (int(h.shape[-2]), int(h.shape[-1]))
        cells = call.keep(("nearest", size), lambda: self._cells(call, size, h.device))
        chunks = self.constants(block, call, h).index_select(0, call.features).chunk(len(cells))
        added = [
            chunk.index_select(3, columns).index_select(2, rows)
            for chunk, (rows, columns) in zip(chunks, cells, strict=True)
        ]
        return h + (added[0] if len(added) == 1 else torch.cat(added))

    def _cells(self, call: UNetCall, size: Size, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """Rows and columns of the grid for every chunk, or once when all chunks cover the same window."""
        windows = call.windows if len(set(call.windows)) > 1 else call.windows[:1]
        cells = [nearest_cells(self.residuals.grid, size, window) for window in windows]
        return [(rows.to(device), columns.to(device)) for rows, columns in cells]


class PracticalResnet(ResnetAddition):
    """Smooth and within the view only; attention to the picture tokens is added to that to the text."""

    def attention_patches(self) -> Mapping[str, Hook]:
        return {"attn2_patch": self.before_attention, "attn2_output_patch": self.after_attention}

    def before_attention(
        self, hidden: Tensor, context: Tensor, value: Tensor, options: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """attn2_patch: the block's queries are kept until its attention is done."""
        if self.call_key in options:
            options[self._queries_key] = hidden
        return hidden, context, value

    def after_attention(self, hidden: Tensor, options: dict[str, Any]) -> Tensor:
        """attn2_output_patch: the hidden states with attention to the picture tokens, times strength."""
        call, block = options.get(self.call_key), NAME_OF.get(tuple(options.get("block", ()))[:2])
        if call is None or block is None or not self.residuals.acts(block):
            return hidden
        size, queries = block_grid(options), options.pop(self._queries_key)
        folded = call.run.keep(("attention", block, hidden.device), lambda: self._folded(block, call, hidden))
        scores, values = (half.index_select(0, call.features) for half in folded)
        shares = torch.matmul(queries, scores.flatten(2)).unflatten(-1, scores.shape[2:]).softmax(-1).flatten(2)
        weight = call.keep(("strength", size), lambda: self._strength(call, size, hidden))
        return torch.baddbmm(hidden, shares * (weight * self.residuals.blocks[block]), values)

    @torch.no_grad()
    def _folded(self, block: str, call: UNetCall, like: Tensor) -> tuple[Tensor, Tensor]:
        """(B + M, C, heads, 16) and (B + M, heads * 16, C): the block's attention to the picture tokens.

        The tokens are few and the same in every step, so that W_q K^T and V W_out are smaller than W_q and W_out:
        softmax(n (W_q K^T) / sqrt(d)) (V W_out). Layers are called, so that weights that are cast or patched count.
        """
        attention, last = call.unet.get_submodule(ATTENTION_OF[block]), to_out(call, block)
        tokens, heads = self.picture_tokens(call, like), attention.heads
        query = attention.to_q(torch.eye(like.shape[-1], dtype=like.dtype, device=like.device))
        width = query.shape[-1] // heads
        keys = attention.to_k(tokens).unflatten(-1, (heads, width))
        values = attention.to_v(tokens).unflatten(-1, (heads, width))
        scores = torch.einsum("chd,bthd->bcht", query.unflatten(-1, (heads, width)), keys) / width**0.5
        # One row for each head and token, empty but for that head's part.
        alone = torch.einsum("bthd,hg->bhtgd", values, torch.eye(heads, dtype=values.dtype, device=values.device))
        out = last(alone.flatten(3).flatten(1, 2))
        return scores, out - last(torch.zeros_like(out[:1, :1]))

    def after_norm(self, h: Tensor, block: str, call: UNetCall) -> Tensor:
        if not self.residuals.acts(block):
            return h
        size = (int(h.shape[-2]), int(h.shape[-1]))
        down, across, mask = call.keep(("weights", size), lambda: self._weights(call, size, h))
        features = self.constants(block, call, h).index_select(0, call.features)
        added = torch.matmul(torch.matmul(down[:, None], features), across.transpose(1, 2)[:, None])
        return h + (added if mask is None else added * mask)

    @property
    def _queries_key(self) -> str:
        return f"{self.call_key}_queries"

    def _weights(self, call: UNetCall, size: Size, h: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        down, across = self.row_weights(call, size, h)
        mask = self.row_mask(call, size, h)
        return down, across, None if mask is None else mask.view(len(h), 1, *size)

    def _strength(self, call: UNetCall, size: Size, like: Tensor) -> Tensor:
        """(rows, H*W, 1): the cells' strength, laid over the block, times the mask."""
        down, across = self.row_weights(call, size, self.residuals.cells)
        cells = self.residuals.cells[call.pictures.cpu() % len(self.residuals.cells)].unflatten(1, self.residuals.grid)
        weight = (down @ cells @ across.transpose(1, 2)).flatten(1)[..., None].to(like)
        mask = self.row_mask(call, size, like)
        return weight if mask is None else weight * mask
