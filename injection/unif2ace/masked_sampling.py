"""Image tokens from masks: every step keeps the surest ones, by a cosine schedule (MaskGIT, as Show-o samples)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def masked_share(done: float) -> float:
    """The share of tokens that is still masked after `done` 0..1 of the steps."""
    return math.cos(done * math.pi / 2)


def guided(conditioned: Tensor, unconditioned: Tensor, guidance: float) -> Tensor:
    """(1 + g) c - g u, of logits of one shape; without change at 0."""
    return torch.lerp(unconditioned, conditioned, 1 + guidance)


def sample_masked(
    logits_of: Callable[[Tensor], Tensor], tokens: Tensor, mask_id: int, steps: int = 18, temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """The tokens with every `mask_id` replaced; the others stay.

    `logits_of`: tokens (B, T) -> logits (B, T, V) of the V token values, guided already; `mask_id` is not below V.
    `tokens`: (B, T) whole numbers.
    `temperature`: of the noise on how sure a token is, falling to 0 with the steps; at 0 the surest are kept.

    Raises ValueError for fewer than one step and where `mask_id` is one of the V values.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; at least 1 is needed")
    tokens = tokens.clone()
    first = (tokens == mask_id).sum(1)
    for step in range(steps):
        masked = tokens == mask_id
        logits = logits_of(tokens).float()
        if mask_id < logits.shape[-1]:
            raise ValueError(
                f"mask_id is {mask_id}, which is one of the {logits.shape[-1]} token values; use a larger one"
            )
        probabilities = logits.softmax(-1)
        drawn = torch.multinomial(probabilities.flatten(0, 1), 1, generator=generator).view_as(tokens)
        sure = probabilities.gather(-1, drawn[..., None])[..., 0].clamp_min(1e-20).log()
        done = (step + 1) / steps
        sure = sure + temperature * (1 - done) * _gumbel(sure, generator)
        sure = torch.where(masked, sure, torch.inf)
        keep_masked = (first * masked_share(done)).floor().long() if step + 1 < steps else torch.zeros_like(first)
        # In every step at least one token of each sequence is settled.
        keep_masked = torch.minimum(keep_masked, (masked.sum(1) - 1).clamp_min(0))
        order = sure.argsort(1).argsort(1)
        tokens = torch.where(masked & (order >= keep_masked[:, None]), drawn, tokens)
    return tokens


def _gumbel(like: Tensor, generator: torch.Generator | None) -> Tensor:
    uniform = torch.rand(like.shape, generator=generator, device=like.device).clamp(1e-20, 1 - 1e-7)
    return -(-uniform.log()).log()
