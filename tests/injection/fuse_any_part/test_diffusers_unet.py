"""FuseAnyPart in a diffusers UNet with random weights, against a direct computation from the published description."""

import copy

import pytest
import torch
from face_part_fusion.injection.fuse_any_part.adapters import CrossAttentionAdapter, ResnetAdapter
from face_part_fusion.injection.fuse_any_part.diffusers_unet import Injection
from face_part_fusion.injection.unet.blocks import BLOCKS
from torch.nn import functional

diffusers = pytest.importorskip("diffusers")

WIDTH, CONTEXT, SIDE = 40, 24, 16
KINDS = {"A": CrossAttentionAdapter, "B": ResnetAdapter}


def make_unet(**changes):
    torch.manual_seed(0)
    config = dict(
        in_channels=9, block_out_channels=(32, 64, 128, 128), norm_num_groups=8, cross_attention_dim=CONTEXT,
        attention_head_dim=8, sample_size=SIDE,
    )  # fmt: skip
    return diffusers.UNet2DConditionModel(**{**config, **changes}).eval()


@pytest.fixture(scope="module")
def unet():
    return make_unet()


def randomised(module):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in module.parameters():
            scale = 0.05 if value.ndim > 1 else 0.5
            value.copy_(torch.randn(value.shape, generator=generator) * scale)
    return module


def block_widths(unet):
    attention = "{}.transformer_blocks.0.attn2.to_out.0"
    return {b.name: unet.get_submodule(attention.format(b.diffusers_attention)).out_features for b in BLOCKS}


@pytest.fixture(scope="module", params=list(KINDS))
def adapter(request, unet):
    return randomised(KINDS[request.param](block_widths(unet), WIDTH, CONTEXT)).eval()


@pytest.fixture(scope="module")
def adapter_a(unet):
    return randomised(CrossAttentionAdapter(block_widths(unet), WIDTH, CONTEXT)).eval()


def tokens(batch=2, cells=16, seed=2):
    return torch.randn(batch, 1 + cells, WIDTH, generator=torch.Generator().manual_seed(seed))


def sample(batch=2, height=SIDE, width=SIDE):
    return torch.randn(batch, 9, height, width, generator=torch.Generator().manual_seed(3))


def text(batch=2, seed=4):
    return torch.randn(batch, 93, CONTEXT, generator=torch.Generator().manual_seed(seed))


def nearest(values, grid, size):
    """(N, h*w, C) -> (N, H*W, C): the cell in which each pixel's top left corner lies."""
    rows = torch.div(torch.arange(size[0]) * grid[0], size[0], rounding_mode="floor")
    columns = torch.div(torch.arange(size[1]) * grid[1], size[1], rounding_mode="floor")
    return values[:, (rows[:, None] * grid[1] + columns[None]).flatten()]


def direct_a(unet, adapter, features, grid, x, timestep, scale=1.0):
    """x <- x + to_out(nearest(scale * (P F))) at every cross-attention, F = LayerNorm(W2 gelu(W1 h))."""
    unet, level = copy.deepcopy(unet), {"input": lambda n: (n - 1) // 3, "output": lambda n: 3 - n // 3}
    first, _, second, norm = adapter.image_proj2.proj
    hidden = functional.gelu(features[:, 1:] @ first.weight.T + first.bias) @ second.weight.T + second.bias
    hidden = functional.layer_norm(hidden, hidden.shape[-1:], norm.weight, norm.bias)
    for block in BLOCKS:
        side, number = block.host
        halved = 3 if side == "middle" else level[side](number)
        size = (-(-x.shape[2] // 2**halved), -(-x.shape[3] // 2**halved))
        layer = adapter.image_projector[block.name]
        attention = unet.get_submodule(f"{block.diffusers_attention}.transformer_blocks.0.attn2")
        projected = nearest(scale * (hidden @ layer.weight.T + layer.bias), grid, size)
        out = projected @ attention.to_out[0].weight.T + attention.to_out[0].bias
        attention.forward = lambda *_, out=out, **__: out
    return unet(x, timestep, encoder_hidden_states=text(len(x))).sample


def direct_b(unet, adapter, features, grid, x, timestep):
    """h <- norm2(conv1(silu(norm1 x)) + temb); h <- h + nearest(K h_clip); silu, conv2, skip."""
    unet = copy.deepcopy(unet)

    def forward(net, layer, x, temb):
        h = net.conv1(functional.silu(net.norm1(x))) + net.time_emb_proj(functional.silu(temb))[:, :, None, None]
        added = functional.conv1d(features[:, 1:].transpose(1, 2), layer.weight[..., None], layer.bias)
        size = (h.shape[2], h.shape[3])
        h = net.norm2(h) + nearest(added.transpose(1, 2), grid, size).transpose(1, 2).unflatten(2, size)
        return net.conv2(functional.silu(h)) + (net.conv_shortcut(x) if net.conv_shortcut else x)

    for block in BLOCKS:
        net, layer = unet.get_submodule(block.diffusers_resnet), adapter.conv1d[block.name]
        net.forward = lambda x, temb, net=net, layer=layer: forward(net, layer, x, temb)
    return unet(x, timestep, encoder_hidden_states=adapter.image_proj_model(features)).sample


@pytest.mark.parametrize(
    ("size", "grid"), [((16, 16), (4, 4)), ((16, 24), (4, 4)), ((24, 16), (3, 5)), ((16, 16), (16, 16))]
)
@pytest.mark.parametrize("timestep", [981, 501, 1])
@torch.no_grad()
def test_the_prediction_equals_the_published_computation(size, grid, timestep, unet, adapter):
    features, x = tokens(2, grid[0] * grid[1]), sample(2, *size)
    direct = direct_a if adapter.kind == "A" else direct_b
    with Injection(unet, adapter) as injection:
        injection.set_features(features, grid)
        ours = injection(x, timestep)
    expected = direct(unet, adapter, features, grid, x, timestep)
    plain = unet(x, timestep, encoder_hidden_states=text()).sample
    assert (ours - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))
    assert (ours - plain).abs().max() > 1e-2


@torch.no_grad()
def test_strength_multiplies_the_features_before_the_output_layer(unet, adapter_a):
    with Injection(unet, adapter_a) as injection:
        injection.set_features(tokens(), (4, 4), strength=0.3)
        ours = injection(sample(), 500)
        injection.set_features(tokens(), (4, 4), strength=0)
        none = injection(sample(), 500)
        injection.set_features(tokens(seed=9), (4, 4), strength=0)
        assert torch.equal(none, injection(sample(), 500))
    expected = direct_a(unet, adapter_a, tokens(), (4, 4), sample(), 500, 0.3)
    bias_only = direct_a(unet, adapter_a, tokens(), (4, 4), sample(), 500, 0.0)
    plain = unet(sample(), 500, encoder_hidden_states=text()).sample
    assert (ours - expected).abs().max() < 1e-4 and (none - bias_only).abs().max() < 1e-5
    assert (none - plain).abs().max() > 1e-3


@torch.no_grad()
def test_with_a_view_variant_a_is_the_unet_with_a_text_of_zeros_beside_its_features(unet, adapter_a):
    with Injection(unet, adapter_a) as injection:
        injection.set_features(tokens(), (4, 4), strength=0, view=torch.tensor([[0.1, 0.2, 0.8, 0.9]]))
        ours = injection(sample(), 500)
    zeros = unet(sample(), 500, encoder_hidden_states=torch.zeros_like(text())).sample
    assert (ours - zeros).abs().max() < 1e-5


@torch.no_grad()
def test_with_a_view_the_features_lie_there_and_only_there(unet, adapter):
    """Even features over the middle half of the picture, in the first block, which is as large as the latent."""
    even, outputs = tokens(1, 1).repeat(1, 16, 1)[:, :17], {}
    even[:, 1:] = even[:, 1:2].clone()
    block = BLOCKS[0]
    path = f"{block.diffusers_resnet}.norm2"
    if adapter.kind == "A":
        path = f"{block.diffusers_attention}.transformer_blocks.0.attn2"
    module = unet.get_submodule(path)
    with Injection(unet, adapter) as injection:
        injection.set_features(even, (4, 4), view=torch.tensor([[0.25, 0.25, 0.75, 0.75]]))
        before = module.register_forward_hook(lambda _, __, out: outputs.update(before=out), prepend=True)
        after = module.register_forward_hook(lambda _, __, out: outputs.update(after=out))
        injection(sample(1), 500)
        before.remove(), after.remove()
    if adapter.kind == "A":
        added = outputs["after"].transpose(1, 2).unflatten(2, (SIDE, SIDE))[0]
        projected = adapter.project(block.name, adapter.features(even[:, 1:2]))[0, 0]
        inside, outside = module.to_out[0](projected), module.to_out[0].bias
    else:
        added = (outputs["after"] - outputs["before"])[0]
        inside = adapter.project(block.name, even[:, 1:2])[0, 0]
        outside = torch.zeros_like(inside)
    middle = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    middle[4:12, 4:12] = True
    assert (added[:, middle] - inside[:, None]).abs().max() < 1e-5 and (inside - outside).abs().max() > 1e-2
    assert (added[:, ~middle] - outside[:, None]).abs().max() < 1e-5


@torch.no_grad()
def test_in_a_text_queries_keys_and_values_change_the_output_by_exactly_nothing(unet, adapter_a):
    changed = copy.deepcopy(unet)
    outputs = []
    with Injection(changed, adapter_a) as injection:
        injection.set_features(tokens(), (4, 4))
        for seed in (4, 5):
            outputs.append(changed(sample(), 500, encoder_hidden_states=text(seed=seed)).sample)
        for block in BLOCKS:
            attention = changed.get_submodule(f"{block.diffusers_attention}.transformer_blocks.0.attn2")
            for layer in (attention.to_q, attention.to_k, attention.to_v):
                layer.weight.normal_()
        outputs.append(injection(sample(), 500))
        injection.set_features(tokens(seed=9), (4, 4))
        outputs.append(injection(sample(), 500))
    assert torch.equal(outputs[0], outputs[1]) and torch.equal(outputs[0], outputs[2])
    assert not torch.equal(outputs[0], outputs[3])


@torch.no_grad()
def test_removing_gives_the_unet_back_bit_for_bit(unet, adapter):
    before, names = unet(sample(), 7, encoder_hidden_states=text()).sample, list(unet.state_dict())
    processors = dict(unet.attn_processors)
    injection = Injection(unet, adapter)
    injection.set_features(tokens(), (4, 4))
    assert list(unet.state_dict()) == names and not torch.equal(injection(sample(), 7), before)
    injection.remove()
    injection.remove()
    assert torch.equal(unet(sample(), 7, encoder_hidden_states=text()).sample, before)
    assert unet.attn_processors == processors and list(unet.state_dict()) == names
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in unet.modules())


@torch.no_grad()
def test_attached_twice_in_turn_gives_what_the_first_time_gave(unet, adapter):
    outputs = []
    for _ in range(2):
        with Injection(unet, adapter) as injection:
            injection.set_features(tokens(), (4, 4))
            outputs.append(injection(sample(), 300))
    assert torch.equal(*outputs)


@torch.no_grad()
def test_one_picture_serves_a_batch_and_a_batch_equals_its_single_calls(unet, adapter):
    x, features = sample(2), tokens(2)
    with Injection(unet, adapter) as injection:
        injection.set_features(features, (4, 4))
        both = injection(x, 300)
        injection.set_features(features[:1], (4, 4))
        assert (injection(x[:1], 300) - both[:1]).abs().max() < 1e-4
        repeated = injection(x[:1].expand(3, -1, -1, -1), 300)
        assert (repeated - both[:1]).abs().max() < 1e-4


def test_gradients_reach_adapter_unet_and_features(adapter):
    unet = make_unet().train()
    unet.enable_gradient_checkpointing()
    adapter.train().zero_grad()
    features = tokens().requires_grad_()
    with Injection(unet, adapter) as injection:
        injection.set_features(features, (4, 4))
        injection(sample(), 500).square().mean().backward()
    assert features.grad is not None and features.grad[:, 1:].abs().sum() > 0
    assert [n for n, p in adapter.named_parameters() if p.grad is None or not p.grad.any()] == []
    dead = {n for n, p in unet.named_parameters() if p.grad is None}
    expected = {n for n, _ in unet.named_parameters() if ".attn2.to_" in n and "to_out" not in n}
    expected |= {n for n, _ in unet.named_parameters() if ".norm2." in n and "transformer_blocks" in n}
    assert dead == (expected if adapter.kind == "A" else set())


def test_one_training_step_brings_the_loss_down(adapter_a):
    unet, adapter = make_unet(), copy.deepcopy(adapter_a)
    optimiser = torch.optim.SGD(adapter.parameters(), lr=0.01)
    losses = []
    with Injection(unet, adapter) as injection:
        for _ in range(3):
            injection.set_features(tokens(), (4, 4))
            loss = injection(sample(), 500).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[0] > losses[1] > losses[2]


def test_a_unet_of_another_family_is_told(adapter):
    other = make_unet(down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3))
    with pytest.raises(ValueError, match=r"at input_1 needed is width 32 and text 24, the UNet has none; .*SD1.5"):
        Injection(other, adapter)
    wider = make_unet(block_out_channels=(64, 64, 128, 128))
    with pytest.raises(ValueError, match="at input_1 needed is width 32 and text 24, the UNet has width 64 and"):
        Injection(wider, adapter)
    with pytest.raises(ValueError, match="scales and shifts by time"):
        Injection(make_unet(resnet_time_scale_shift="scale_shift"), adapter)


def test_a_second_adapter_is_refused_and_the_first_one_stays(unet, adapter):
    with Injection(unet, adapter) as injection:
        with pytest.raises(ValueError, match="already carries an adapter; remove that one first"):
            Injection(unet, adapter)
        injection.set_features(tokens(), (4, 4))
        assert injection(sample(), 1).shape == (2, 4, SIDE, SIDE)
    Injection(unet, adapter).remove()


def test_features_that_are_missing_or_do_not_fit_are_told(unet, adapter):
    with Injection(unet, adapter) as injection:
        with pytest.raises(ValueError, match="called before features were set"):
            injection(sample(), 1)
        with pytest.raises(ValueError, match="called before features were set"):
            unet(sample(), 1, encoder_hidden_states=text())
        with pytest.raises(ValueError, match=r"tokens have shape \(2, 17, 40\); needed is \(N, 26, 40\)"):
            injection.set_features(tokens(), (5, 5))
        with pytest.raises(ValueError, match="needed is .N, 17, 40.: 1 class token and 4 x 4 patches"):
            injection.set_features(tokens()[..., :30], (4, 4))
        injection.set_features(tokens(2), (4, 4))
        with pytest.raises(ValueError, match="a batch of 3, but 2 features were set"):
            injection(sample(3), 1)
