"""Sequence-level mixture of experts: for a whole sequence the best K of copy, zero, noise, CLIP and face (UniF2ace).

The paper gives E(x) = w x + (1 - w) S(F(X)) for its CLIP and face experts, S a resampler. Of the noise expert no
formula is public; here it is the same sum with normal noise of the token's own size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

COPY, ZERO, NOISE, CLIP, FACE = "copy", "zero", "noise", "clip", "face"
GENERATION = (COPY, COPY, ZERO, NOISE)
UNDERSTANDING = (COPY, COPY, CLIP, FACE)


class Blend(nn.Module):
    """w x + (1 - w) y, w between 0 and 1, learnt; a half at first."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.lerp(y, x, self.weight.to(x).sigmoid())


class FeatureExpert(nn.Module):
    """Blends each token with what it reads, by attention of one head, in an encoder's tokens."""

    def __init__(self, width: int, features: int, ops: Any = nn) -> None:
        super().__init__()
        self.blend = Blend()
        self.query, self.out = ops.Linear(width, width), ops.Linear(width, width)
        self.key, self.value = ops.Linear(features, width), ops.Linear(features, width)

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor:
        """`hidden`: (B, T, C). `features`: (B, N, `features`)."""
        features = features.to(hidden)
        read = functional.scaled_dot_product_attention(self.query(hidden), self.key(features), self.value(features))
        return self.blend(hidden, self.out(read))


class SequenceExperts(nn.Module):
    """One group; understanding and generation have one each."""

    def __init__(
        self, width: int, kinds: Sequence[str], features: Mapping[str, int] | None = None, best: int = 2, ops: Any = nn
    ) -> None:
        """`kinds`: of the experts. `features`: for CLIP and FACE among them the width of that encoder's tokens.

        Raises ValueError when `best` is not among 1 and the number of experts that need no features.
        """
        super().__init__()
        always = sum(kind not in (CLIP, FACE) for kind in kinds)
        if not 1 <= best <= always:
            raise ValueError(f"best is {best}; with {always} experts that need no encoder it goes from 1 to {always}")
        self.kinds, self.best = tuple(kinds), best
        self.router = ops.Linear(width, len(kinds), bias=False)
        widths = features or {}
        made = {
            str(i): Blend() if kind == NOISE else FeatureExpert(width, widths[kind], ops)
            for i, kind in enumerate(kinds)
            if kind == NOISE or (kind in (CLIP, FACE) and kind in widths)
        }
        self.experts = nn.ModuleDict(made)

    def route(self, hidden: Tensor, deciding: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        """(B, experts): the weights of each sequence's experts; `best` of them are above 0 and they sum to 1.

        `hidden`: (B, T, C). `deciding`: (B, T) bool, the tokens whose mean decides. An expert whose `features` are
        absent is never chosen.
        """
        share = deciding.to(hidden)[..., None]
        mean = (hidden * share).sum(1) / share.sum(1).clamp_min(1)
        absent = torch.tensor([k in (CLIP, FACE) and not self._reads(i, features) for i, k in enumerate(self.kinds)])
        logits = self.router(mean).float().masked_fill(absent.to(hidden.device), -torch.inf)
        weights, chosen = logits.softmax(-1).topk(self.best, -1)
        return torch.zeros_like(logits).scatter(-1, chosen, weights / weights.sum(-1, keepdim=True)).to(hidden.dtype)

    def forward(
        self, hidden: Tensor, weights: Tensor, features: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> Tensor:
        """(B, T, C). `hidden`: (B, T, C). `weights`: (B, experts), of `route`. `features`: by CLIP and FACE (B, N, D).
        `generator`: of the noise, on the CPU.
        """
        total = torch.zeros_like(hidden)
        for i, kind in enumerate(self.kinds):
            if kind == ZERO or not bool((weights[:, i] > 0).any()):
                continue
            total = total + weights[:, i, None, None] * self._expert(i, kind, hidden, features, generator)
        return total

    def _expert(
        self, i: int, kind: str, hidden: Tensor, features: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> Tensor:
        if kind == COPY:
            return hidden
        if kind == NOISE:
            noise = torch.randn(hidden.shape, generator=generator).to(hidden)
            return self.experts[str(i)](hidden, noise * hidden.square().mean(-1, keepdim=True).sqrt())
        return self.experts[str(i)](hidden, features[kind])

    def _reads(self, i: int, features: Mapping[str, Tensor]) -> bool:
        return str(i) in self.experts and self.kinds[i] in features
