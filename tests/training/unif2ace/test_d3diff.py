"""D3Diff's relations, checked by counting on a chain of two tokens of three values.

UniF2ace says -log p <= L(score) <= L(mask). For a model whose score comes from normalised probabilities, as
p(x0 | xt) ~ q(xt | x0) s makes it, both losses are the same number over all steps, which is what is found here. A score
that is not normalised has the larger loss of the two.
"""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from face_part_fusion.training.unif2ace.d3diff import d3diff_loss, mask_cross_entropy, mask_tokens, score_entropy

V, MASK = 3, 3
STATES = list(itertools.product(range(V), repeat=2))


def chances_of_data():
    torch.manual_seed(1)
    return torch.rand(V, V, dtype=torch.float64).softmax(-1) / V


def posterior(joint, state, place):
    """(V,): p(x0 of `place` | what `state` shows), of the joint distribution of both tokens."""
    other = state[1 - place]
    table = joint if place == 0 else joint.T
    column = table.sum(1) if other == MASK else table[:, other]
    return column / column.sum()


def chance_of_state(joint, state, share):
    """The probability of a partly masked state."""
    total = 0.0
    for true in STATES:
        kept = [share if s == MASK else (1 - share) * (s == t) for s, t in zip(state, true, strict=True)]
        total += float(joint[true]) * kept[0] * kept[1]
    return total


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_posterior_is_the_score_times_the_chance_of_the_mask(share):
    joint = chances_of_data()
    for state in itertools.product(range(V + 1), repeat=2):
        for place in (place for place in (0, 1) if state[place] == MASK):
            settled = [tuple(y if i == place else s for i, s in enumerate(state)) for y in range(V)]
            ratio = [chance_of_state(joint, other, share) / chance_of_state(joint, state, share) for other in settled]
            scores = torch.tensor(ratio, dtype=torch.float64)
            assert torch.allclose(posterior(joint, state, place), scores * share / (1 - share), atol=1e-12)


def both_losses(log_scores_of, true, points=200):
    """Integrals over the chain of the score entropy and of the cross-entropy, for data `true`.

    `log_scores_of`: state and place -> the logarithms (V,) of scores per odds.
    """
    score = cross = 0.0
    for share in ((i + 0.5) / points for i in range(points)):
        odds = (1 - share) / share
        for hidden in ((0,), (1,), (0, 1)):
            weight = share ** len(hidden) * (1 - share) ** (2 - len(hidden)) / points
            state = tuple(MASK if i in hidden else t for i, t in enumerate(true))
            for place in hidden:
                logits = log_scores_of(state, place)[None, None]
                token = torch.tensor([[true[place]]])
                entropy = score_entropy(logits + math.log(odds), token, torch.full((1, 1), odds, dtype=torch.float64))
                score += weight * float(entropy) / (1 - share)
                cross += weight * float(mask_cross_entropy(logits, token)) / share
    return score, cross


def model(seed):
    torch.manual_seed(seed)
    table = torch.randn(2, V + 1, V, dtype=torch.float64)
    return lambda state, place: table[place, state[1 - place]]


@pytest.mark.parametrize("true", STATES[::2])
def test_minus_log_p_is_at_most_the_score_entropy_which_is_the_weighted_cross_entropy(true):
    own = model(0)

    def normalised(state, place):
        return own(state, place).log_softmax(-1)

    score, cross = both_losses(normalised, true)
    orders = [
        float(normalised((MASK, MASK), first)[true[first]])
        + float(normalised(tuple(MASK if i != first else true[i] for i in (0, 1)), 1 - first)[true[1 - first]])
        for first in (0, 1)
    ]
    # The model settles its tokens in either order, each as probable.
    log_p = math.log(sum(map(math.exp, orders)) / 2)
    assert -log_p <= score + 1e-3
    assert score == pytest.approx(cross, rel=1e-6) and score == pytest.approx(-sum(orders) / 2, rel=2e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_score_that_is_not_normalised_has_the_larger_loss(seed):
    score, cross = both_losses(model(seed), (0, 2))
    assert score > cross


def test_the_true_score_has_no_entropy_left_and_others_have_some():
    odds = torch.full((1, 1), 0.7, dtype=torch.float64)
    sure = torch.tensor([[[0.0, -60.0, -60.0]]], dtype=torch.float64) + math.log(0.7)
    assert float(score_entropy(sure, torch.tensor([[0]]), odds)) == pytest.approx(0, abs=1e-12)
    assert float(score_entropy(sure + 0.1, torch.tensor([[0]]), odds)) > 0


def test_the_loss_is_the_sum_of_both_over_masked_tokens_alone():
    torch.manual_seed(0)
    logits, tokens = torch.randn(2, 5, V, dtype=torch.float64, requires_grad=True), torch.randint(0, V, (2, 5))
    share = torch.tensor([0.3, 0.8], dtype=torch.float64)
    masked = mask_tokens(tokens, share, MASK, torch.Generator().manual_seed(0)) == MASK
    loss = d3diff_loss(logits, tokens, masked, share, alpha=0.1)
    plain = 0.0
    for b, t in masked.nonzero().tolist():
        cross = -float(logits[b, t].log_softmax(-1)[tokens[b, t]])
        plain += cross * (1 + 0.1 / float(share[b]))
    assert float(loss) == pytest.approx(plain / int(masked.sum()))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert bool((gradient[~masked] == 0).all()) and bool((gradient[masked] != 0).any())


def test_a_share_of_the_tokens_is_masked():
    share = torch.tensor([0.1, 0.9])
    masked = mask_tokens(torch.zeros(2, 20000, dtype=torch.long), share, MASK, torch.Generator().manual_seed(0)) == MASK
    assert torch.allclose(masked.float().mean(1), share, atol=0.01)
