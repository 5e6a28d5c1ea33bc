import math

import pytest
import torch
from face_part_fusion.injection.fuse_any_part.adapters import CrossAttentionAdapter, ResnetAdapter
from face_part_fusion.injection.fuse_any_part.checkpoint import _expected, read_checkpoint
from face_part_fusion.injection.unet.blocks import BLOCKS
from face_part_fusion.injection.unet.keys import ldm_names, unet_shapes
from support.fuse_weights import FULL, SMALL, TINY, flat, layout, random_fap
from torch.nn import functional

WIDTH = 16
UNEQUAL = (32, 64, 96, 96)


@pytest.fixture(scope="module")
def variants():
    """Kind -> a fresh copy of the same weights for every test that asks."""
    states = {kind: random_fap(kind, TINY, 3, WIDTH) for kind in "AB"}
    return lambda kind: {k: dict(v) if isinstance(v, dict) else v for k, v in states[kind].items()}


def fails(state):
    with pytest.raises(ValueError) as refusal:
        read_checkpoint(state, "some.bin")
    message = str(refusal.value)
    assert "some.bin" in message and "\n" not in message
    return message


@pytest.mark.parametrize("widths", [FULL, SMALL, UNEQUAL])
def test_names_and_shapes_of_the_unet_are_those_of_diffusers(widths):
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(
            in_channels=9, block_out_channels=widths, cross_attention_dim=768, attention_head_dim=8,
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        )  # fmt: skip
    assert unet_shapes(widths) == {k: tuple(v.shape) for k, v in unet.state_dict().items()}


def test_every_weight_has_one_ldm_name_and_the_16_blocks_agree_with_it():
    names = ldm_names()
    assert len(names) == 686 == len(set(names.values())) and names["conv_in.weight"] == "input_blocks.0.0.weight"
    for block in BLOCKS:
        assert names[f"{block.diffusers_attention}.proj_in.weight"] == f"{block.attention}.proj_in.weight"
        assert names[f"{block.diffusers_resnet}.norm2.weight"] == f"{block.resnet}.out_layers.0.weight"


@pytest.mark.parametrize("kind, tensors", [("A", 51 + 6 + 718), ("B", 734 + 51)])
def test_the_whole_layout_is_the_published_one(kind, tensors):
    published = flat(layout(kind))
    assert _expected(kind, 1280, FULL) == published and len(published) == tensors


def test_parameters_are_as_many_as_were_counted_in_the_release():
    def count(shapes):
        return sum(map(math.prod, shapes.values()))

    a, b = layout("A"), layout("B")
    assert count(unet_shapes()) == 859_535_364
    assert count(a["unet"]) == 859_535_364 + 9_597_120 and count(a["image_proj2"]) == 2_625_024
    assert count(b["unet"]) == 859_535_364 + 15_986_896
    assert count(a["image_proj"]) == count(b["image_proj_model"]) == 29_918_208


@pytest.mark.parametrize("kind", "AB")
def test_nested_and_flat_files_read_alike(variants, kind):
    state = variants(kind)
    turned = flat(state) if kind == "A" else _nested(state)
    read, again = read_checkpoint(state, "x"), read_checkpoint(turned, "x")
    assert (read.kind, read.width, read.widths) == (kind, WIDTH, TINY) == (again.kind, again.width, again.widths)
    assert read.adapter.keys() == again.adapter.keys()
    assert all(torch.equal(again.adapter[k], v) for k, v in read.adapter.items())
    assert all(again.unet[k] is v for k, v in read.unet.items())


def _nested(state):
    nested = {"unet": {}, "image_proj_model": {}}
    for key, tensor in state.items():
        group, _, name = key.partition(".")
        nested[group][name] = tensor
    return nested


def test_the_hosts_unet_has_every_weight_once_and_its_own_order_of_input_channels(variants):
    state = variants("A")
    host = read_checkpoint(state, "x").host_unet()
    names = ldm_names(TINY)
    first = state["unet"]["conv_in.weight"]
    latent, masked, mask = first.split([4, 4, 1], 1)
    assert host.keys() == set(names.values()) and len(host) == 682
    assert torch.equal(host.pop("input_blocks.0.0.weight"), torch.cat([latent, mask, masked], 1))
    assert all(host[ldm] is state["unet"][name] for name, ldm in names.items() if ldm in host)


@pytest.mark.parametrize("widths", [TINY, UNEQUAL])
def test_the_adapter_of_a_gives_what_its_tensors_say(widths):
    state = random_fap("A", widths, 1, WIDTH)
    read = read_checkpoint(state, "x")
    module = CrossAttentionAdapter(read.channels, read.width)
    module.load_state_dict(read.adapter)
    tokens, p = torch.randn(2, 9, WIDTH), state["image_proj2"]
    h = functional.gelu(tokens @ p["proj.0.weight"].T + p["proj.0.bias"]) @ p["proj.2.weight"].T + p["proj.2.bias"]
    h = functional.layer_norm(h, (768,), p["proj.3.weight"], p["proj.3.bias"])
    assert len(read.channels) == 16
    for block in BLOCKS:
        name = f"{block.diffusers_attention}.transformer_blocks.0.attn2.processor.image_projector"
        direct = h @ state["unet"][f"{name}.weight"].T + state["unet"][f"{name}.bias"]
        assert torch.allclose(module.project(block.name, module.features(tokens)), direct, atol=1e-4)


def test_the_adapter_of_b_is_the_convolution_times_alpha():
    state = random_fap("B", UNEQUAL, 1, WIDTH)
    read = read_checkpoint(state, "x")
    module = ResnetAdapter(read.channels, read.width)
    module.load_state_dict(read.adapter)
    tokens = torch.randn(2, 9, WIDTH)
    for block in BLOCKS:
        alpha, *conv = (state[f"unet.{block.diffusers_resnet}.{n}"] for n in ("alpha", "conv1d.weight", "conv1d.bias"))
        direct = alpha * functional.conv1d(tokens.transpose(1, 2), *conv).transpose(1, 2)
        assert torch.allclose(module.project(block.name, tokens), direct, atol=1e-5)
    assert torch.equal(read.adapter["image_proj_model.latents"], state["image_proj_model.latents"])


def test_the_precision_of_the_file_is_kept(variants):
    half = {k: t.half() for k, t in variants("B").items()}
    read = read_checkpoint(half, "x")
    assert read.dtype == torch.float16 and {t.dtype for t in read.adapter.values()} == {torch.float16}
    alpha, kernel = half["unet.mid_block.resnets.0.alpha"], half["unet.mid_block.resnets.0.conv1d.weight"]
    folded = (alpha.float() * kernel[..., 0].float()).half()
    assert torch.equal(read.adapter["conv1d.middle_0.weight"], folded)


def test_progress_counts_every_tensor(variants):
    calls = []
    read = read_checkpoint(variants("A"), "x", lambda done, total: calls.append((done, total)))
    assert calls == [(i + 1, len(read.flat)) for i in range(len(read.flat))]


def test_missing_unknown_and_misshapen_tensors_are_all_listed(variants):
    state = variants("A")
    for name in ("proj_in.weight", "proj_in.bias", "latents", "norm_out.bias"):
        del state["image_proj"][name]
    state["unet"]["surplus.weight"] = torch.zeros(1)
    state["unet"]["conv_out.bias"] = torch.zeros(5)
    message = fails(state)
    assert "some.bin does not hold FuseAnyPart variant A (771 tensors): 4 missing" in message
    assert "4 missing (image_proj.latents, image_proj.proj_in.weight, image_proj.proj_in.bias, ...)" in message
    assert "1 unknown (unet.surplus.weight)" in message
    assert "1 of the wrong shape (unet.conv_out.bias is (5,), needed is (4,))" in message


@pytest.mark.parametrize("kind, lost", [
    ("A", "unet.conv_in.weight"), ("A", "image_proj2.proj.0.weight"),
    ("A", "unet.down_blocks.1.resnets.0.conv1.weight"),
    ("B", "image_proj_model.proj_in.weight"), ("B", "unet.mid_block.resnets.0.alpha"),
])  # fmt: skip
def test_a_lost_tensor_is_named_even_when_sizes_are_read_from_it(variants, kind, lost):
    state = flat(variants(kind)) if kind == "A" else variants(kind)
    del state[lost]
    assert "missing" in (message := fails(state)) and lost in message


def test_a_tensor_that_is_no_tensor_or_no_float_is_named(variants):
    state = variants("B")
    state["image_proj_model.norm_out.bias"] = "text"
    assert "image_proj_model.norm_out.bias is a str, needed is (768,)" in fails(state)
    state = variants("B")
    state["unet.conv_out.bias"] = torch.zeros(4, dtype=torch.int8)
    assert "unet.conv_out.bias is of type torch.int8, needed is float32" in fails(state)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("change, what", [
    (lambda t: t.to_sparse(), "is sparse (torch.sparse_coo)"), (lambda t: t.to("meta"), "has a shape but no values"),
    (lambda t: t[:0], "is empty (shape (0,))"),
    (lambda t: torch.nested.nested_tensor([t, t[:2]]), "holds several tensors"),
])  # fmt: skip
def test_tensors_without_plain_numbers_are_told_by_name(variants, change, what):
    state = variants("A")
    state["unet"]["conv_out.bias"] = change(state["unet"]["conv_out.bias"])
    assert f"unet.conv_out.bias {what}" in fails(state)


def test_a_unet_of_no_width_is_told(variants):
    state = variants("A")
    state["unet"] = {k: t[:0] if k.endswith("conv1.weight") else t for k, t in state["unet"].items()}
    assert "conv1.weight is empty (shape (0," in fails(state)


@pytest.mark.parametrize("kind", "AB")
@pytest.mark.parametrize("wrap", [
    lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": {"state_dict": s}, "optimizer": {"state": {}}},
    lambda s: {f"module.{k}": v for k, v in s.items()},
    lambda s: {"module": {f"_orig_mod.{k}": v for k, v in s.items()}},
    lambda s: {g: {f"module.{k}": v for k, v in inside.items()} for g, inside in _grouped(s).items()},
])  # fmt: skip
def test_wrapping_by_a_training_program_changes_nothing(variants, kind, wrap):
    state = variants(kind)
    plain, read = read_checkpoint(state, "x"), read_checkpoint(wrap(state), "x")
    assert read.flat.keys() == plain.flat.keys() and all(read.flat[k] is t for k, t in plain.flat.items())


def _grouped(state):
    return state if all(isinstance(v, dict) for v in state.values()) else _nested(state)


def test_two_tables_that_could_be_meant_are_named(variants):
    message = fails({"model": variants("A"), "module": variants("A")})
    assert "weights of an unknown kind" in message and "with further tables in model.image_proj, model." in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_that_are_not_finite_are_told_by_tensor(variants, value, dtype):
    state = variants("A")
    state["unet"]["conv_in.bias"] = state["unet"]["conv_in.bias"].to(dtype)
    state["unet"]["conv_in.bias"][7] = value
    assert "unet.conv_in.bias holds values that are not finite" in fails(state)


def test_a_4_channel_unet_is_told_that_9_are_needed(variants):
    state = variants("A")
    state["unet"]["conv_in.weight"] = state["unet"]["conv_in.weight"][:, :4]
    message = fails(state)
    assert "SD1.5 UNet in diffusers naming with 4 input channels" in message and "with 9 input channels" in message


def unet(width, channels, prefix="", ldm=False):
    """The tensors that tell a UNet's family."""
    first, block = ("input_blocks.0.0", "input_blocks.4.1") if ldm else ("conv_in", "down_blocks.1.attentions.0")
    return {
        f"{prefix}{first}.weight": torch.zeros(320, channels, 3, 3),
        f"{prefix}{block}.transformer_blocks.0.attn2.to_k.weight": torch.zeros(640, width),
    }


ANY = torch.zeros(2, 2)
OTHERS = {
    "an SDXL checkpoint": unet(2048, 4, "model.diffusion_model.", True) | {"conditioner.embedders.0.x": ANY},
    "an SDXL UNet in diffusers naming with 4 input channels": unet(2048, 4),
    "an SD2 checkpoint": unet(1024, 4, "model.diffusion_model.", True) | {"cond_stage_model.model.x": ANY},
    "an SD2 UNet in diffusers naming": unet(1024, 4),
    "an SD1.5 checkpoint in LDM naming with 4 input channels": unet(768, 4, "model.diffusion_model.", True)
    | {"first_stage_model.decoder.conv_in.weight": ANY, "cond_stage_model.transformer.text_model.x": ANY},
    "an SD1.5 UNet in diffusers naming with 4 input channels": unet(768, 4),
    "an SD1.5 UNet in diffusers naming with 9 input channels": unet(768, 9),
    "an SD1.5 UNet in LDM naming with 9 input channels": unet(768, 9, "", True),
    "an IP-Adapter file": {"image_proj": {"latents": ANY}, "ip_adapter": {"1.to_k_ip.weight": ANY}},
    "a LoRA": {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": ANY},
    "a ControlNet": {"control_model.input_blocks.0.0.weight": ANY},
    "a VAE": {"encoder.conv_in.weight": ANY, "decoder.conv_in.weight": ANY},
    "the optimiser's state of a training run": {"state": {0: {"step": ANY}}, "param_groups": [{}]},
    "a CLIP vision encoder": {"vision_model.embeddings.class_embedding": ANY},
    "a text encoder": {"text_model.embeddings.position_ids": ANY},
    "weights of an unknown kind (1 tensors, the first is 'body.0.weight')": {"body.0.weight": ANY},
}


@pytest.mark.parametrize("what", OTHERS)
def test_weights_of_another_family_are_named_with_what_is_needed(what):
    message = fails(OTHERS[what])
    assert f"some.bin is {what}" in message and "needed is FuseAnyPart's fap.bin" in message


@pytest.mark.parametrize("width, named", [(2048, "SDXL"), (1024, "SD2"), (512, "(text width 512)")])
def test_fuse_any_part_around_a_unet_of_another_family_is_told(width, named):
    state = {"unet": unet(width, 9), "image_proj2": {"proj.0.weight": ANY}}
    message = fails(state)
    assert f"the UNet in some.bin is a{'n' if named[0] == 'S' else ''} {named} UNet" in message and "SD1.5" in message


@pytest.mark.parametrize("state, came", [
    ({}, "an empty table"), ({"unet": {}}, "an empty table"), ([1], "a list"), (torch.zeros(2), "a Tensor"),
])  # fmt: skip
def test_what_is_no_table_of_weights_is_told(state, came):
    assert f"some.bin holds {came} and no named weights" in fails(state)
