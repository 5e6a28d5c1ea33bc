"""Sequence-level experts against plain loops."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.unif2ace.sequence_experts import CLIP, FACE, GENERATION, UNDERSTANDING, SequenceExperts

FEATURES = {CLIP: torch.randn(3, 4, 5, dtype=torch.float64), FACE: torch.randn(3, 1, 7, dtype=torch.float64)}


def experts(kinds, best=2):
    torch.manual_seed(0)
    net = SequenceExperts(6, kinds, {CLIP: 5, FACE: 7}, best).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net


@torch.no_grad()
def plainly(net, hidden, features, noise=None):
    rows = []
    for n, tokens in enumerate(hidden):
        chances = torch.softmax(net.router.weight @ tokens[1:].mean(0), 0)
        best = sorted(range(4), key=lambda i: -float(chances[i]))[: net.best]
        row = 0
        for i in best:
            kind, given = net.kinds[i], tokens
            if kind in (CLIP, FACE):
                one = net.experts[str(i)]
                keys, values = (f(features[kind][n]) for f in (one.key, one.value))
                read = torch.stack([torch.softmax(keys @ one.query(t) / 6**0.5, 0) @ values for t in tokens])
                w = torch.sigmoid(one.blend.weight)
                given = w * tokens + (1 - w) * one.out(read)
            elif kind == "noise":
                w = torch.sigmoid(net.experts[str(i)].weight)
                given = w * tokens + (1 - w) * noise[n] * tokens.pow(2).mean(-1, keepdim=True).sqrt()
            elif kind == "zero":
                given = 0 * tokens
            row = row + chances[i] / sum(chances[j] for j in best) * given
        rows.append(row)
    return torch.stack(rows)


@pytest.mark.parametrize("kinds", [GENERATION, UNDERSTANDING])
@pytest.mark.parametrize("best", [1, 2])
def test_outputs_are_those_of_plain_loops(kinds, best):
    net, hidden = experts(kinds, best), torch.randn(3, 5, 6, dtype=torch.float64)
    deciding = torch.ones(3, 5, dtype=torch.bool)
    deciding[:, 0] = False
    route = net.route(hidden, deciding, FEATURES)
    ours = net(hidden, route, FEATURES, torch.Generator().manual_seed(3))
    noise = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(3)).double()
    assert torch.allclose(ours, plainly(net, hidden, FEATURES, noise), atol=1e-6)
    assert torch.allclose(route.sum(1), torch.ones(3, dtype=torch.float64)) and int((route > 0).sum()) == 3 * best


def test_an_expert_whose_features_are_absent_is_never_chosen():
    net = experts(UNDERSTANDING)
    with torch.no_grad():
        net.router.weight.copy_(torch.tensor([0, 0, 9, 9.0])[:, None].expand(4, 6))
    hidden, deciding = torch.ones(3, 5, 6, dtype=torch.float64), torch.ones(3, 5, dtype=torch.bool)
    assert (net.route(hidden, deciding, FEATURES)[:, 2:] > 0.49).all()
    route = net.route(hidden, deciding, {})
    assert not route[:, 2:].any() and torch.equal(net(hidden, route, {}), hidden)
    only_face = net.route(hidden, deciding, {FACE: FEATURES[FACE]})
    assert not only_face[:, 2].any() and (only_face[:, 3] > 0.9).all()


def test_more_experts_than_need_no_encoder_cannot_be_asked():
    with pytest.raises(ValueError, match="best is 3; with 2 experts that need no encoder it goes from 1 to 2"):
        SequenceExperts(6, UNDERSTANDING, {}, 3)
