"""Token-level mixture of experts: one shared network and the best K of N small ones for each token (UniF2ace)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Routed(NamedTuple):
    """`hidden`: (B, T, C). `balance`: (), the loss that keeps experts in use; 1 when all are used alike."""

    hidden: Tensor
    balance: Tensor


class Expert(nn.Module):
    """A feed-forward network from `width` over `inner` channels back."""

    def __init__(self, width: int, inner: int, ops: Any = nn) -> None:
        super().__init__()
        self.up, self.down = ops.Linear(width, inner), ops.Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down(functional.gelu(self.up(hidden)))


class TokenExperts(nn.Module):
    """One group; understanding and generation have one each."""

    def __init__(self, width: int, inner: int, experts: int = 8, best: int = 4, ops: Any = nn) -> None:
        """`inner`: channels inside each small expert; the shared one has `best` times as many, so that both halves of
        the sum cost alike. `ops`: whose layers.

        Raises ValueError when `best` is not among 1..`experts`.
        """
        super().__init__()
        if not 1 <= best <= experts:
            raise ValueError(f"best is {best}; of {experts} experts 1 to {experts} can be asked for each token")
        self.best = best
        self.router = ops.Linear(width, experts, bias=False)
        self.shared = Expert(width, inner * best, ops)
        self.experts = nn.ModuleList(Expert(width, inner, ops) for _ in range(experts))

    def forward(self, hidden: Tensor) -> Routed:
        """`hidden`: (B, T, C)."""
        tokens = hidden.flatten(0, 1)
        probabilities = self.router(tokens).float().softmax(-1)
        weights, chosen = probabilities.topk(self.best, -1)
        weights = (weights / weights.sum(-1, keepdim=True)).to(hidden.dtype)
        total = self.shared(tokens)
        for number, expert in enumerate(self.experts):
            rows, places = torch.nonzero(chosen == number, as_tuple=True)
            if len(rows):
                total = total.index_add(0, rows, expert(tokens[rows]) * weights[rows, places, None])
        return Routed(total.view_as(hidden), balance_loss(probabilities, chosen))


def balance_loss(probabilities: Tensor, chosen: Tensor) -> Tensor:
    """N * sum over experts of f * P (Switch Transformer, arXiv 2101.03961, equation 4).

    `probabilities`: (tokens, N), of the router. `chosen`: (tokens, K), the experts' numbers. f is the share of all
    choices that an expert got, P its mean probability.
    """
    experts = probabilities.shape[-1]
    shares = functional.one_hot(chosen, experts).float().mean((0, 1))
    return experts * (shares * probabilities.mean(0)).sum()
