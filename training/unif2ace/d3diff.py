"""D3Diff (UniF2ace): cross-entropy of masked tokens, and the score entropy of the absorbing chain at a small weight.

A token is masked with probability `share`. The score of a masked token towards value y is the ratio of the chances of
the two states, s(y) = odds * p(x0 = y | the tokens that are seen), odds = (1 - share) / share; so p ~ q(xt | x0) s.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Weight of the score entropy (UniF2ace, table 3: the best of 0.1, 0.01 and 0.001).
ALPHA = 0.01


def mask_tokens(tokens: Tensor, share: Tensor, mask_id: int, generator: torch.Generator | None = None) -> Tensor:
    """`tokens` (B, T), each of which is `mask_id` with the probability `share` (B,) of its sequence."""
    drawn = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    return tokens.masked_fill(drawn < share[:, None], mask_id)


def d3diff_loss(logits: Tensor, tokens: Tensor, masked: Tensor, share: Tensor, alpha: float = ALPHA) -> Tensor:
    """(): the loss of a batch.

    `logits`: (B, T, V) of the values of each token. `tokens`: (B, T), the true values. `masked`: (B, T) bool, which of
    them the model did not see. `share`: (B,) in 0..1, exclusive, how probable it was to be masked.
    """
    odds = ((1 - share) / share)[:, None, None]
    log_scores = odds.log() + logits.log_softmax(-1)
    entropy = score_entropy(log_scores, tokens, odds[..., 0])
    # Over the steps of the chain, d sigma = d share / (1 - share).
    weighted = entropy / (1 - share)[:, None]
    count = masked.sum().clamp_min(1)
    return (mask_cross_entropy(logits, tokens) * masked).sum() / count + alpha * (weighted * masked).sum() / count


def mask_cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """(B, T): -log p of the true values."""
    return functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view_as(tokens)


def score_entropy(log_scores: Tensor, tokens: Tensor, odds: Tensor) -> Tensor:
    """(B, T): the denoising score entropy of masked tokens (Lou et al., arXiv 2310.16834), 0 for the true score.

    sum over y of s(y) - r(y) log s(y) + r(y) (log r(y) - 1); r is `odds` at the true value and 0 at the others.

    `log_scores`: (B, T, V); they need not sum to `odds`. `tokens`: (B, T). `odds`: (B, 1) or (B, T).
    """
    true = log_scores.gather(-1, tokens[..., None])[..., 0]
    return log_scores.exp().sum(-1) - odds * true + odds * (odds.log() - 1)
