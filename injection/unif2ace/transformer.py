"""The hybrid transformer over text and discrete image tokens: Show-o's, and with UniF2ace's experts.

Papers: Show-o, arXiv 2408.12528 (a Phi-1.5 language model: attention and feed-forward side by side); UniF2ace, arXiv
2503.08120 (attention, then token-level, then sequence-level experts, each after a norm of its own and added).
UniF2ace's sizes are not public, so they are settings; the defaults are Show-o's, and so are the
names of weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .hybrid_mask import FIRST_IMAGE, hybrid_mask
from .sequence_experts import CLIP, FACE, GENERATION, UNDERSTANDING, SequenceExperts
from .token_experts import TokenExperts

# The two tasks, each with experts of its own.
DRAW, ANSWER = "generation", "understanding"
_EPS = 1e-5
_BASE = 10000.0


@dataclass(frozen=True)
class Experts:
    """`number`: of token experts, `best` of which a token asks, `inner` channels in each; with 0 there is one plain
    feed-forward network. `clip`, `face`: widths of the encoders' tokens, 0 where there is no such expert.
    `best_of_sequence`: experts that a sequence asks; with 0 there are none."""

    number: int = 8
    best: int = 4
    inner: int = 1024
    clip: int = 1024
    face: int = 512
    best_of_sequence: int = 2


@dataclass(frozen=True)
class Shape:
    """`rotated`: channels of each head that carry the position. `experts`: None for Show-o's own blocks."""

    vocabulary: int = 58498
    width: int = 2048
    layers: int = 24
    heads: int = 32
    inner: int = 8192
    rotated: int = 32
    experts: Experts | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that do not go together."""
        head = self.width // max(self.heads, 1)
        if self.heads < 1 or head * self.heads != self.width or not 0 < self.rotated <= head or self.rotated % 2:
            raise ValueError(
                f"a width of {self.width}, {self.heads} heads and {self.rotated} rotated channels do not go together; "
                "the heads divide the width, and an even number of a head's channels is rotated"
            )


@dataclass
class Cache:
    """What later tokens need of earlier ones: keys and values (B, heads, T, c) and the routes of the sequences."""

    keys_values: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    routes: dict[int, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        return self.keys_values[0][0].shape[2] if self.keys_values else 0


@dataclass
class Pass:
    """One call of the network, as every block sees it. `mask`: (B, 1, T, T) bool, None where all is seen."""

    task: str
    angles: Tensor
    mask: Tensor | None
    deciding: Tensor
    features: Mapping[str, Tensor]
    cache: Cache | None
    generator: torch.Generator | None
    balance: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class States:
    """`hidden`: (B, T, C). `balance`: (), the mean balance loss of the blocks' token experts; 0 without experts."""

    hidden: Tensor
    balance: Tensor


class Transformer(nn.Module):
    """`shape`: sizes. `ops`: whose layers."""

    def __init__(self, shape: Shape, ops: Any = nn) -> None:
        super().__init__()
        self.shape = shape
        self.model = _Blocks(shape, ops)
        self.lm_head = ops.Linear(shape.width, shape.vocabulary)

    def forward(
        self, ids: Tensor, kinds: Tensor, task: str, features: Mapping[str, Tensor] | None = None,
        cache: Cache | None = None, generator: torch.Generator | None = None,
    ) -> States:  # fmt: skip
        """`ids`: (B, T), of the vocabulary. `kinds`: (B, T), as `hybrid_mask` has them. `task`: DRAW or ANSWER.
        `features`: tokens (B, N, D) of the picture by CLIP and FACE, as far as there are.
        `cache`: filled; where it has tokens already, `ids` is the one text token that follows them.
        `generator`: of the noise expert.
        """
        start = cache.length if cache else 0
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        mask = None if start else hybrid_mask(kinds)[:, None]
        # A sequence's experts are chosen by its image: no text token learns from a later one.
        step = Pass(task, _angles(positions, self.shape.rotated), mask, kinds >= FIRST_IMAGE, features or {}, cache,
                    generator)  # fmt: skip
        hidden = self.model(ids, step)
        balance = torch.stack(step.balance).mean() if step.balance else hidden.new_zeros(())
        return States(hidden, balance)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., vocabulary). `hidden`: (..., C), of `forward`."""
        return self.lm_head(hidden)


class _Blocks(nn.Module):
    def __init__(self, shape: Shape, ops: Any) -> None:
        super().__init__()
        self.embed_tokens = ops.Embedding(shape.vocabulary, shape.width)
        experts = shape.experts
        self.layers = nn.ModuleList(
            _Block(shape, i, ops) if experts is None else _ExpertBlock(shape, experts, i, ops)
            for i in range(shape.layers)
        )
        self.final_layernorm = ops.LayerNorm(shape.width, eps=_EPS)

    def forward(self, ids: Tensor, step: Pass) -> Tensor:
        hidden = self.embed_tokens(ids)
        for layer in self.layers:
            hidden = layer(hidden, step)
        return self.final_layernorm(hidden)


class _Block(nn.Module):
    """Phi's: attention and feed-forward read the same norm and are added."""

    def __init__(self, shape: Shape, number: int, ops: Any) -> None:
        super().__init__()
        self.self_attn = _Attention(shape, number, ops)
        self.mlp = _FeedForward(shape, ops)
        self.input_layernorm = ops.LayerNorm(shape.width, eps=_EPS)

    def forward(self, hidden: Tensor, step: Pass) -> Tensor:
        normed = self.input_layernorm(hidden)
        return hidden + self.self_attn(normed, step) + self.mlp(normed)


class _ExpertBlock(nn.Module):
    """UniF2ace's: attention, token-level experts, sequence-level experts."""

    def __init__(self, shape: Shape, sizes: Experts, number: int, ops: Any) -> None:
        super().__init__()
        self.number = number
        self.self_attn = _Attention(shape, number, ops)
        self.input_layernorm, self.token_norm = (ops.LayerNorm(shape.width, eps=_EPS) for _ in range(2))
        if sizes.best_of_sequence:
            self.sequence_norm = ops.LayerNorm(shape.width, eps=_EPS)
        if not sizes.number:
            self.mlp = _FeedForward(shape, ops)
        tasks = (DRAW, ANSWER) if sizes.number else ()
        self.token_experts = nn.ModuleDict(
            {task: TokenExperts(shape.width, sizes.inner, sizes.number, sizes.best, ops) for task in tasks}
        )
        widths = {kind: width for kind, width in ((CLIP, sizes.clip), (FACE, sizes.face)) if width}
        groups = {DRAW: GENERATION, ANSWER: UNDERSTANDING} if sizes.best_of_sequence else {}
        self.sequence_experts = nn.ModuleDict(
            {t: SequenceExperts(shape.width, k, widths, sizes.best_of_sequence, ops) for t, k in groups.items()}
        )

    def forward(self, hidden: Tensor, step: Pass) -> Tensor:
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), step)
        hidden = hidden + self._by_token(self.token_norm(hidden), step)
        return hidden + self._by_sequence(self.sequence_norm(hidden), step) if self.sequence_experts else hidden

    def _by_token(self, normed: Tensor, step: Pass) -> Tensor:
        if not self.token_experts:
            return self.mlp(normed)
        routed = self.token_experts[step.task](normed)
        step.balance.append(routed.balance)
        return routed.hidden

    def _by_sequence(self, normed: Tensor, step: Pass) -> Tensor:
        experts: Any = self.sequence_experts[step.task]
        route = step.cache.routes.get(self.number) if step.cache else None
        if route is None:
            route = experts.route(normed, step.deciding, step.features)
            if step.cache is not None:
                step.cache.routes[self.number] = route
        return experts(normed, route, step.features, step.generator)


class _FeedForward(nn.Module):
    def __init__(self, shape: Shape, ops: Any) -> None:
        super().__init__()
        self.fc1, self.fc2 = ops.Linear(shape.width, shape.inner), ops.Linear(shape.inner, shape.width)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(hidden), approximate="tanh"))


class _Attention(nn.Module):
    def __init__(self, shape: Shape, number: int, ops: Any) -> None:
        super().__init__()
        self.number, self.heads = number, shape.heads
        self.q_proj, self.k_proj, self.v_proj, self.dense = (ops.Linear(shape.width, shape.width) for _ in range(4))

    def forward(self, hidden: Tensor, step: Pass) -> Tensor:
        q, k, v = (
            layer(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = _rotated(q, step.angles), _rotated(k, step.angles)
        if step.cache is not None:
            if self.number in step.cache.keys_values:
                before_k, before_v = step.cache.keys_values[self.number]
                k, v = torch.cat((before_k, k), 2), torch.cat((before_v, v), 2)
            step.cache.keys_values[self.number] = (k, v)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=step.mask)
        return self.dense(seen.transpose(1, 2).flatten(2))


def _angles(positions: Tensor, rotated: int) -> Tensor:
    """(T, rotated / 2) float32."""
    powers = torch.arange(0, rotated, 2, device=positions.device) / rotated
    return positions[:, None] * _BASE**-powers


def _rotated(x: Tensor, angles: Tensor) -> Tensor:
    """x (B, heads, T, c) with its first channels turned by their position (rotary embedding, halves)."""
    half = angles.shape[1]
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    a, b, rest = x.split((half, half, x.shape[-1] - 2 * half), -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin, rest), -1)
