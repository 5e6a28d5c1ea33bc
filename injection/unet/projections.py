"""Encoder tokens of a picture -> tokens as wide as a UNet's text: the two projections that IP-Adapter published.

FuseAnyPart uses both, too. Source: IP-Adapter (arXiv 2308.06721); keys are those of the published files.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeatureProjection(nn.Module):
    """Encoder tokens (B, n, width) -> (B, n, context), each token by itself: IP-Adapter "full face".

    Linear, GELU, Linear, LayerNorm. 2,625,024 parameters.
    """

    def __init__(self, width: int = 1280, context: int = 768, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            ops.Linear(width, width, **factory), nn.GELU(), ops.Linear(width, context, **factory),
            ops.LayerNorm(context, **factory),
        )  # fmt: skip

    def forward(self, tokens: Tensor) -> Tensor:
        return self.proj(tokens)


class Attention(nn.Module):
    """Queries from the latents; keys and values from encoder tokens and latents together."""

    def __init__(self, width: int, heads: int, head_width: int, ops: Any, **factory: Any) -> None:
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.norm1 = ops.LayerNorm(width, **factory)
        self.norm2 = ops.LayerNorm(width, **factory)
        self.to_q = ops.Linear(width, inner, bias=False, **factory)
        self.to_kv = ops.Linear(width, 2 * inner, bias=False, **factory)
        self.to_out = ops.Linear(inner, width, bias=False, **factory)

    def forward(self, tokens: Tensor, latents: Tensor) -> Tensor:
        tokens, latents = self.norm1(tokens), self.norm2(latents)
        keys, values = self.to_kv(torch.cat([tokens, latents], 1)).chunk(2, -1)
        queries, keys, values = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (self.to_q(latents), keys, values)
        )
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        return self.to_out(mixed.transpose(1, 2).flatten(2))


class Resampler(nn.Module):
    """Encoder tokens (B, n, `width_in`) -> (B, `queries`, `width_out`): the perceiver of IP-Adapter "plus".

    The defaults are those of FuseAnyPart (arXiv 2410.22771, training program): depth 4, 12 heads of 64, 16 queries.
    29,918,208 parameters at these sizes, 120 MB in fp32, 60 MB in fp16.
    """

    def __init__(
        self, width: int = 768, depth: int = 4, heads: int = 12, head_width: int = 64, queries: int = 16,
        width_in: int = 1280, width_out: int = 768, growth: int = 4, *, ops: Any = nn, **factory: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(1, queries, width, **factory))
        self.proj_in = ops.Linear(width_in, width, **factory)
        self.proj_out = ops.Linear(width, width_out, **factory)
        self.norm_out = ops.LayerNorm(width_out, **factory)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [Attention(width, heads, head_width, ops, **factory), _feed_forward(width, growth, ops, **factory)]
            )
            for _ in range(depth)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        latents = self.latents.to(tokens).expand(len(tokens), -1, -1)
        tokens = self.proj_in(tokens)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            latents = latents + attention(tokens, latents)
            latents = latents + feed_forward(latents)
        return self.norm_out(self.proj_out(latents))


def _feed_forward(width: int, growth: int, ops: Any, **factory: Any) -> nn.Sequential:
    return nn.Sequential(
        ops.LayerNorm(width, **factory),
        ops.Linear(width, growth * width, bias=False, **factory),
        nn.GELU(),
        ops.Linear(growth * width, width, bias=False, **factory),
    )
