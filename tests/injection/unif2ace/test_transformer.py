"""The hybrid transformer against transformers' Phi, and against a plain computation of UniF2ace's blocks."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from face_part_fusion.injection.unif2ace.hybrid_mask import hybrid_mask
from face_part_fusion.injection.unif2ace.sequence_experts import CLIP, FACE
from face_part_fusion.injection.unif2ace.transformer import ANSWER, DRAW, Cache, Experts, Shape, Transformer

PLAIN = Shape(vocabulary=40, width=16, layers=2, heads=2, inner=24, rotated=4)
MOE = dataclasses.replace(PLAIN, experts=Experts(number=3, best=2, inner=6, clip=5, face=7))
IDS = torch.tensor([[0, 1, 2, 3, 20, 21, 22, 4], [5, 6, 7, 8, 23, 24, 25, 9]])
KINDS = torch.tensor([[0, 0, 1, 1, 2, 2, 2, 1], [0, 1, 1, 1, 2, 2, 2, 1]])
FEATURES = {CLIP: torch.randn(2, 3, 5).double(), FACE: torch.randn(2, 1, 7).double()}


def network(shape, seed=0):
    torch.manual_seed(seed)
    net = Transformer(shape).double().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def test_with_show_o_blocks_it_computes_what_phi_computes():
    transformers = pytest.importorskip("transformers")
    net = network(PLAIN)
    config = transformers.PhiConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        partial_rotary_factor=0.5, hidden_act="gelu_new", attn_implementation="eager",
    )  # fmt: skip
    phi = transformers.PhiForCausalLM(config).double().eval()
    phi.load_state_dict(net.state_dict())
    bias = torch.zeros(2, 1, 8, 8).double().masked_fill(~hybrid_mask(KINDS)[:, None], -1e9)
    theirs = phi(input_ids=IDS, attention_mask=bias, position_ids=torch.arange(8)[None]).logits
    ours = net.logits(net(IDS, KINDS, DRAW).hidden)
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def norm(x, layer):
    return (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-5) * layer.weight + layer.bias


def turned(x, position):
    x = x.clone()
    for i in range(2):
        angle = position / 10000 ** (2 * i / 4)
        a, b = x[i].clone(), x[i + 2].clone()
        x[i], x[i + 2] = a * math.cos(angle) - b * math.sin(angle), b * math.cos(angle) + a * math.sin(angle)
    return x


def attended(layer, rows, sees):
    """One sequence, head by head and token by token."""
    result = []
    for t in range(len(rows)):
        heads = []
        for h in range(2):
            part = slice(8 * h, 8 * h + 8)
            query = turned(layer.q_proj(rows[t])[part], t)
            seen = [s for s in range(len(rows)) if sees[t, s]]
            scores = torch.stack([query @ turned(layer.k_proj(rows[s])[part], s) / 8**0.5 for s in seen])
            values = torch.stack([layer.v_proj(rows[s])[part] for s in seen])
            heads.append(torch.softmax(scores, 0) @ values)
        result.append(layer.dense(torch.cat(heads)))
    return torch.stack(result)


@pytest.mark.parametrize("task", [DRAW, ANSWER])
def test_with_experts_it_computes_what_plain_loops_compute(task):
    net, generator = network(MOE), torch.Generator()
    for n in range(2):
        one = {kind: tokens[n : n + 1] for kind, tokens in FEATURES.items()}
        ours = net(IDS[n : n + 1], KINDS[n : n + 1], task, one, generator=generator.manual_seed(5)).hidden[0]
        sees, generator = hybrid_mask(KINDS[n : n + 1])[0], generator.manual_seed(5)
        rows = net.model.embed_tokens.weight[IDS[n]]
        for layer in net.model.layers:
            normed = torch.stack([norm(r, layer.input_layernorm) for r in rows])
            rows = rows + attended(layer.self_attn, normed, sees)
            normed = torch.stack([norm(r, layer.token_norm) for r in rows])[None]
            rows = rows + layer.token_experts[task](normed).hidden[0]
            normed = torch.stack([norm(r, layer.sequence_norm) for r in rows])[None]
            experts = layer.sequence_experts[task]
            route = experts.route(normed[:, 4:7], torch.ones(1, 3, dtype=torch.bool), one)
            rows = rows + experts(normed, route, one, generator)[0]
        wanted = torch.stack([norm(r, net.model.final_layernorm) for r in rows])
        assert torch.allclose(ours, wanted, atol=1e-5)


def test_understanding_and_generation_have_experts_of_their_own():
    net = network(MOE)
    before = net(IDS, KINDS, ANSWER).hidden
    for layer in net.model.layers:
        for group in (layer.token_experts[DRAW], layer.sequence_experts[DRAW]):
            for parameter in group.parameters():
                torch.nn.init.zeros_(parameter)
    assert torch.equal(net(IDS, KINDS, ANSWER).hidden, before)
    net(IDS, KINDS, ANSWER).hidden.sum().backward()
    assert all(p.grad is None for p in net.model.layers[0].token_experts[DRAW].parameters())


@pytest.mark.parametrize("shape", [PLAIN, MOE])
def test_tokens_one_by_one_with_a_cache_are_those_of_one_pass(shape):
    net, kinds = network(shape), torch.tensor([[2, 2, 2, 1, 1, 1, 1, 1]]).expand(2, 8)
    whole = net(IDS, kinds, ANSWER, FEATURES).hidden
    cache = Cache()
    parts = [net(IDS[:, :5], kinds[:, :5], ANSWER, FEATURES, cache).hidden]
    parts += [net(IDS[:, t : t + 1], kinds[:, t : t + 1], ANSWER, FEATURES, cache).hidden for t in range(5, 8)]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_no_text_token_learns_from_a_later_one():
    net, kinds, other = network(MOE), torch.tensor([[2, 2, 2, 1, 1, 1, 1, 1]]).expand(2, 8), IDS.clone()
    other[:, -2:] = 30
    assert torch.allclose(net(IDS, kinds, ANSWER).hidden[:, :-2], net(other, kinds, ANSWER).hidden[:, :-2], atol=1e-9)


def test_the_balance_loss_is_the_mean_of_the_blocks_and_0_without_experts():
    assert float(network(PLAIN)(IDS, KINDS, DRAW).balance) == 0
    assert float(network(MOE)(IDS, KINDS, DRAW).balance) >= 0.9


@pytest.mark.parametrize("left_out", [{"number": 0}, {"best_of_sequence": 0}, {"number": 0, "best_of_sequence": 0}])
def test_either_kind_of_experts_can_be_left_out(left_out):
    net = network(dataclasses.replace(MOE, experts=dataclasses.replace(MOE.experts, **left_out)))
    names = "\n".join(net.state_dict())
    assert ("token_experts" in names) == ("number" not in left_out) == ("mlp" not in names)
    assert ("sequence" in names) == ("best_of_sequence" not in left_out)
    if len(left_out) == 2:
        rows = net.model.embed_tokens(IDS)
        for layer in net.model.layers:
            attended_rows = [attended(layer.self_attn, layer.input_layernorm(r), hybrid_mask(KINDS)[n])
                             for n, r in enumerate(rows)]  # fmt: skip
            rows = rows + torch.stack(attended_rows)
            rows = rows + layer.mlp(layer.token_norm(rows))
        assert torch.allclose(net(IDS, KINDS, DRAW).hidden, net.model.final_layernorm(rows), atol=1e-5)


@pytest.mark.parametrize("wrong", [{"heads": 3}, {"heads": 0}, {"rotated": 9}, {"rotated": 3}])
def test_sizes_that_do_not_go_together_are_an_error(wrong):
    with pytest.raises(ValueError, match="do not go together"):
        dataclasses.replace(PLAIN, **wrong)
