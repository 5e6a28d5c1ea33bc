"""Masked sampling against a plain loop and against a known distribution."""

from __future__ import annotations

import math

import pytest
import torch
from face_part_fusion.injection.unif2ace.masked_sampling import guided, masked_share, sample_masked

MASK = 9


def test_as_many_tokens_are_settled_in_each_step_as_the_cosine_says():
    counts = []

    def logits_of(tokens):
        counts.append(int((tokens == MASK).sum()))
        return torch.zeros(*tokens.shape, 4)

    sample_masked(logits_of, torch.full((1, 64), MASK), MASK, steps=8)
    assert counts == [64] + [math.floor(64 * math.cos(math.pi / 2 * k / 8)) for k in range(1, 8)]
    assert masked_share(0) == 1 and masked_share(1) == pytest.approx(0)


def test_without_noise_the_surest_tokens_come_first_as_in_a_plain_loop():
    torch.manual_seed(0)
    table = 30 * torch.randn(12, 5)
    settled = []

    def logits_of(tokens):
        settled.append((tokens[0] != MASK).nonzero().flatten().tolist())
        return table[None]

    done = sample_masked(logits_of, torch.full((1, 12), MASK), MASK, steps=4, temperature=0)
    sure = table.softmax(-1).amax(-1)
    order = sorted(range(12), key=lambda i: (-float(sure[i].log()), i))
    for step, positions in enumerate(settled):
        left = math.floor(12 * math.cos(math.pi / 2 * step / 4))
        assert len(positions) == 12 - left and min(sure[positions], default=torch.tensor(1.0)) >= sure[order[11 - left]]
    assert torch.equal(done[0], table.argmax(-1))


def test_what_is_not_masked_stays_and_nothing_masked_is_left():
    tokens = torch.tensor([[1, MASK, 2, MASK], [MASK, MASK, MASK, 0]])
    done = sample_masked(lambda t: torch.zeros(*t.shape, 4), tokens, MASK, steps=3)
    assert torch.equal(done[tokens != MASK], tokens[tokens != MASK]) and bool((done != MASK).all())


def test_one_token_is_drawn_from_the_models_distribution():
    chances = torch.tensor([0.1, 0.2, 0.7])
    generator = torch.Generator().manual_seed(0)
    done = sample_masked(
        lambda t: chances.log().expand(*t.shape, 3), torch.full((20000, 1), MASK), MASK, 1, generator=generator
    )
    assert torch.allclose(torch.bincount(done.flatten()) / 20000, chances, atol=0.015)


def test_guidance():
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 4.0])
    assert torch.allclose(guided(a, b, 0.0), a) and torch.allclose(guided(a, b, 2.0), 3 * a - 2 * b)


def test_unsuitable_settings_are_errors():
    with pytest.raises(ValueError, match="steps is 0"):
        sample_masked(lambda t: torch.zeros(*t.shape, 4), torch.full((1, 2), MASK), MASK, 0)
    with pytest.raises(ValueError, match="mask_id is 2, which is one of the 4 token values"):
        sample_masked(lambda t: torch.zeros(*t.shape, 4), torch.full((1, 2), 2), 2)
