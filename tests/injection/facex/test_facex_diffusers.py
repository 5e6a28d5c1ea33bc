"""FaceX's controller on a diffusers UNet with random weights, against the published equations written out."""

import copy
import math

import pytest
import torch
from face_part_fusion.injection.facex.control import RepresentationControl, block_channels
from face_part_fusion.injection.facex.diffusers_unet import ControlledUNet, grid_of
from face_part_fusion.injection.unet.blocks import BLOCKS

diffusers = pytest.importorskip("diffusers")
SIDE, TOKENS = 16, 5


def randomise(module, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise / math.sqrt(value[0].numel()) if value.ndim > 1 else 0.1 * noise + 0.5)
    return module


@pytest.fixture(scope="module")
def unet():
    made = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64, 128, 128), norm_num_groups=8, cross_attention_dim=768, attention_head_dim=8,
        sample_size=SIDE,
    )  # fmt: skip
    return randomise(made).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def control():
    return randomise(RepresentationControl("sd15", block_channels(32)), 2)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def predict(unet, rows=2, height=SIDE, width=SIDE):
    return unet(draw(rows, 4, height, width), 500, draw(rows, 7, 768, seed=1)).sample


def plain_block(block, extra, tokens):
    def attend(x):
        n = torch.nn.functional.layer_norm(x, x.shape[-1:], extra.norm.weight, extra.norm.bias)
        q, k, v = n @ extra.to_q.weight.T, tokens @ extra.to_k.weight.T, tokens @ extra.to_v.weight.T
        each = x.shape[-1] // 8
        heads = [slice(h * each, (h + 1) * each) for h in range(8)]
        scores = [(q[..., h] @ k[..., h].transpose(1, 2) / math.sqrt(each)).softmax(-1) @ v[..., h] for h in heads]
        mixed = torch.cat(scores, -1) @ extra.to_out.weight.T + extra.to_out.bias
        return mixed @ extra.zero.weight.T + extra.zero.bias

    def forward(x, attention_mask=None, encoder_hidden_states=None, **_):
        x = x + block.attn1(block.norm1(x))
        x = x + block.attn2(block.norm2(x), encoder_hidden_states=encoder_hidden_states)
        x = x + attend(x)
        return x + block.ff(block.norm3(x))

    return forward


@torch.no_grad()
def plain(unet, control, tokens, **size):
    """The same UNet with the equations written out in the place of every block's forward."""
    blocks = {b.name: unet.get_submodule(f"{b.diffusers_attention}.transformer_blocks.0") for b in BLOCKS}
    try:
        for name, block in blocks.items():
            block.forward = plain_block(block, control.blocks[name], tokens)
        return predict(unet, **size)
    finally:
        for block in blocks.values():
            del block.forward


def gap(a, b):
    return float((a - b).abs().max() / b.std())


@pytest.fixture
def controlled(unet, control):
    made = ControlledUNet(unet, control)
    yield made
    made.remove()


@torch.no_grad()
def test_a_random_controller_equals_the_equations_and_every_block_acts(unet, control, controlled):
    tokens, fired = draw(2, TOKENS, 768, seed=3), []
    hooks = [b.register_forward_hook(lambda *_, name=n: fired.append(name)) for n, b in control.blocks.items()]
    controlled.give(tokens)
    found = predict(unet)
    for hook in hooks:
        hook.remove()
    controlled.remove()
    assert fired == [block.name for block in BLOCKS]
    expected = plain(unet, control, tokens)
    assert gap(found, expected) < 1e-4 < 0.05 < gap(expected, predict(unet))


@torch.no_grad()
def test_a_controller_at_zero_changes_no_bit(unet, control):
    unpatched = predict(unet)
    fresh = randomise(RepresentationControl("sd15", block_channels(32)), 2)
    for block in fresh.blocks.values():
        block.zero.weight.zero_()
        block.zero.bias.zero_()
    on = ControlledUNet(unet, fresh)
    on.give(draw(1, TOKENS, 768))
    assert torch.equal(predict(unet), unpatched)
    on.remove()


@torch.no_grad()
def test_removing_leaves_nothing_behind(unet, control):
    def hooks():
        return {name: (len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in unet.named_modules()}

    keys, before, unpatched = list(unet.state_dict()), hooks(), predict(unet)
    made = ControlledUNet(unet, control)
    assert list(unet.state_dict()) == keys and hooks() != before
    made.give(draw(1, TOKENS, 768))
    assert not torch.equal(predict(unet), unpatched)
    made.remove()
    made.remove()
    assert hooks() == before and list(unet.state_dict()) == keys
    assert torch.equal(predict(unet), unpatched)


@torch.no_grad()
def test_keys_and_values_are_computed_once_for_each_give(unet, control, controlled, monkeypatch):
    kind, calls = type(control.blocks["input_1"]), []
    project = kind.project
    monkeypatch.setattr(kind, "project", lambda self, tokens: calls.append(1) or project(self, tokens))
    for tokens in (draw(1, TOKENS, 768), draw(2, TOKENS, 768)):
        controlled.give(tokens)
        for _ in range(3):
            predict(unet)
    assert len(calls) == 2 * 16


@torch.no_grad()
def test_masks_strength_and_weights_limit_it(unet, control, controlled):
    tokens = draw(1, TOKENS, 768)
    controlled.give(tokens, strength=0)
    unpatched = predict(unet, height=8, width=24)
    controlled.give(tokens)
    full = predict(unet, height=8, width=24)
    controlled.give(tokens, mask=torch.ones(1, 8, 24))
    assert torch.equal(predict(unet, height=8, width=24), full)
    controlled.give(tokens, mask=torch.zeros(1, 8, 24))
    assert torch.equal(predict(unet, height=8, width=24), unpatched)
    controlled.give(tokens, weights={block.name: 0.0 for block in BLOCKS})
    assert torch.equal(predict(unet, height=8, width=24), unpatched)
    controlled.give(tokens, weights={"input_1": 0.0})
    assert gap(predict(unet, height=8, width=24), full) > 0.01
    with pytest.raises(ValueError, match="block_weights names input_3; the blocks are input_1,"):
        controlled.give(tokens, weights={"input_3": 1.0})


@torch.no_grad()
def test_start_and_end_say_at_which_timesteps_it_acts(unet, control, controlled):
    def at(step, how=None):
        noise, words = draw(2, 4, SIDE, SIDE), draw(2, 7, 768, seed=1)
        return (unet(noise, encoder_hidden_states=words, timestep=step) if how else unet(noise, step, words)).sample

    controlled.give(draw(1, TOKENS, 768), strength=0)
    plain = {step: at(step) for step in (900, 500, 100)}
    controlled.give(draw(1, TOKENS, 768), start=0.3, end=0.8)
    assert [torch.equal(at(step), plain[step]) for step in plain] == [True, False, True]
    assert torch.equal(at(torch.tensor(100), "by name"), plain[100])
    controlled.give(draw(1, TOKENS, 768))
    assert not any(torch.equal(at(step), plain[step]) for step in plain)
    with pytest.raises(ValueError, match="end must be the larger one"):
        controlled.give(draw(1, TOKENS, 768), start=1.0)


@pytest.mark.parametrize(("of_unet", "of_control"), [
    (torch.bfloat16, torch.float32), (torch.float32, torch.bfloat16), (torch.bfloat16, torch.bfloat16),
])  # fmt: skip
@torch.no_grad()
def test_unet_and_controller_may_be_in_different_precision(unet, control, of_unet, of_control):
    noise, words, tokens = draw(1, 4, SIDE, SIDE), draw(1, 7, 768, seed=1), draw(1, TOKENS, 768)
    results = []
    for low in (False, True):
        net, own = (copy.deepcopy(m).to(kind if low else torch.float32) for m, kind in
                    ((unet, of_unet), (control, of_control)))  # fmt: skip
        ControlledUNet(net, own).give(tokens)
        made = net(noise.to(net.dtype), 500, words.to(net.dtype)).sample
        results.append(made.float())
    assert made.dtype == of_unet and gap(results[1], results[0]) < 0.2


def test_gradients_reach_every_weight_of_the_controller_and_the_tokens(unet, control, controlled):
    tokens = draw(2, TOKENS, 768).requires_grad_()
    controlled.give(tokens)
    predict(unet).square().mean().backward()
    assert tokens.grad.abs().sum() > 0
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in control.parameters())
    control.zero_grad()


def test_mistakes_are_named(unet, control, controlled):
    with pytest.raises(ValueError, match="no tokens yet"):
        predict(unet)
    controlled.give(draw(3, TOKENS, 768))
    with pytest.raises(ValueError, match="tokens has 3 rows but the UNet got 2"):
        predict(unet)
    controlled.give(draw(1, TOKENS, 768), mask=torch.ones(3, SIDE, SIDE))
    with pytest.raises(ValueError, match="mask has 3 rows but the UNet got 2"):
        predict(unet)
    with pytest.raises(ValueError, match="at input_1 needed is width 64 and text 1024, the UNet has width 32 and"):
        ControlledUNet(unet, RepresentationControl("sd2", block_channels(64)))
    with pytest.raises(ValueError, match="the UNet has no such cross-attention: at input_1"):
        ControlledUNet(torch.nn.Linear(1, 1), control)


@pytest.mark.parametrize(
    ("latent", "cells", "grid"),
    [((64, 64), 1024, (32, 32)), ((64, 96), 96, (8, 12)), ((63, 64), 1024, (32, 32))],
)
def test_a_blocks_grid_follows_the_latents_shape(latent, cells, grid):
    assert grid_of(cells, torch.zeros(1, *latent)) == grid


def test_a_mask_of_another_shape_has_no_grid():
    with pytest.raises(ValueError, match="37 tokens"):
        grid_of(37, torch.zeros(1, 64, 64))
