"""Token-level experts against plain loops."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.unif2ace.token_experts import TokenExperts, balance_loss


def experts(seed=0, **options):
    torch.manual_seed(seed)
    return TokenExperts(6, 5, **{"experts": 5, "best": 2} | options).double()


def plainly(net, hidden):
    """Token by token, all experts weighted, most with 0."""
    rows = []
    for token in hidden.reshape(-1, hidden.shape[-1]):
        probabilities = torch.softmax(net.router.weight @ token, 0)
        best = sorted(range(len(net.experts)), key=lambda n: -float(probabilities[n]))[: net.best]
        total = sum(probabilities[n] for n in best)
        rows.append(net.shared(token) + sum(probabilities[n] / total * net.experts[n](token) for n in best))
    return torch.stack(rows).view_as(hidden)


def test_outputs_and_gradients_are_those_of_plain_loops():
    net, hidden = experts(), torch.randn(2, 7, 6, dtype=torch.float64, requires_grad=True)
    ours, theirs = net(hidden).hidden, plainly(net, hidden)
    assert torch.allclose(ours, theirs, atol=1e-6)
    wanted = torch.randn_like(ours)
    parameters = [hidden, *net.parameters()]
    for a, b in zip(
        torch.autograd.grad((ours * wanted).sum(), parameters, allow_unused=True),
        torch.autograd.grad((theirs * wanted).sum(), parameters, allow_unused=True),
        strict=True,
    ):
        assert (a is None) == (b is None) and (a is None or torch.allclose(a, b, atol=1e-5))


def test_balance_is_one_for_even_use_and_as_many_as_experts_for_one_alone():
    even = torch.full((8, 4), 0.25)
    assert float(balance_loss(even, torch.arange(8).view(8, 1) % 4)) == pytest.approx(1)
    alone = torch.tensor([[1.0, 0, 0, 0]]).expand(8, 4)
    assert float(balance_loss(alone, torch.zeros(8, 1, dtype=torch.long))) == pytest.approx(4)


def test_the_balance_loss_spreads_tokens_over_the_experts():
    net, hidden = experts(experts=4, best=1).float(), torch.randn(1, 200, 6) + 2
    start = float(net(hidden).balance)
    optimizer = torch.optim.Adam(net.router.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        net(hidden).balance.backward()
        optimizer.step()
    assert start > 1.2 and float(net(hidden).balance) < 1.1


@pytest.mark.parametrize("best", [0, 6])
def test_a_number_of_experts_that_is_not_there_is_an_error(best):
    with pytest.raises(ValueError, match=f"best is {best}; of 5 experts 1 to 5"):
        experts(best=best)
