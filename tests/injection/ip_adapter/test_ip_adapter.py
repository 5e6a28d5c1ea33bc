"""Published IP-Adapter files: which are taken, what they compute, and what errors say of all others."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.files.flat_state import flat_state
from face_part_fusion.injection.ip_adapter.adapter import (
    FULL_FACE,
    GROUPS,
    PLUS,
    IPAdapter,
    Layout,
    check_encoder,
    check_model,
    recognise,
)
from face_part_fusion.injection.unet.projections import Resampler
from support.ip_adapter_weights import PLACES, image_tokens, nested, random_ip_adapter, widths

SMALL = {"base": 8, "inner": 64}


def loaded(weights: dict[str, torch.Tensor]) -> IPAdapter:
    module = IPAdapter(recognise(weights))
    module.load_state_dict(weights)
    return module.eval()


@pytest.mark.parametrize(("family", "variant"), [("sd15", PLUS), ("sd15", FULL_FACE), ("sdxl", PLUS)])
def test_a_published_layout_is_recognised_and_computes_what_the_paper_says(family: str, variant: str):
    weights = random_ip_adapter(family, variant, **SMALL)
    module = loaded(weights)
    layout = module.layout
    assert (layout.family, layout.variant, layout.width) == (family, variant, 1280)
    assert list(layout.channels) == widths(family, 8)
    tokens = torch.randn(2, 257, 1280, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = module.image_tokens(tokens)
        assert ours.shape == (2, 257 if variant == FULL_FACE else 16, layout.context)
        assert torch.allclose(ours, image_tokens(weights, tokens), atol=1e-4)
        for layer in (0, 7, len(PLACES[family]) - 1):
            keys, values = module.keys_values(layer, ours)
            assert torch.allclose(keys, ours @ weights[f"ip_adapter.{2 * layer + 1}.to_k_ip.weight"].T, atol=1e-5)
            assert torch.allclose(values, ours @ weights[f"ip_adapter.{2 * layer + 1}.to_v_ip.weight"].T, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "variant", "inner", "count"),
    [("sd15", PLUS, (768, 4, 12, 16, 4), 49_087_488), ("sd15", FULL_FACE, None, 21_794_304),
     ("sdxl", PLUS, (1280, 4, 20, 16, 4), 423_748_864)],
)  # fmt: skip
def test_full_size_has_the_published_number_of_parameters(family, variant, inner, count):
    context = {"sd15": 768, "sdxl": 2048}[family]
    layout = Layout(family, variant, 1280, context, tuple(widths(family, 320)), inner)
    module = IPAdapter(layout, device="meta")
    assert sum(p.numel() for p in module.parameters()) == count
    tokens = module.image_tokens(torch.zeros(2, 257, 1280, device="meta"))
    assert tokens.shape == (2, 257 if inner is None else 16, context)
    text = " ".join(IPAdapter.__doc__.split())
    assert f"{count:,}" in text and all(f"{size * count / 1e6:.0f}" in text for size in (2, 4))


def test_the_resampler_at_full_size_is_as_its_docstring_says():
    with torch.device("meta"):
        module = Resampler()
        assert module(torch.zeros(2, 257, 1280)).shape == (2, 16, 768)
    assert sum(p.numel() for p in module.parameters()) == 29_918_208
    assert "29,918,208" in Resampler.__doc__ and "120 MB in fp32, 60 MB in fp16" in Resampler.__doc__


def test_a_bin_file_has_the_same_keys_nested():
    weights = random_ip_adapter("sd15", PLUS, **SMALL)
    flat = flat_state(nested(weights), GROUPS)
    assert flat.keys() == weights.keys() and recognise(flat) == recognise(weights)


def without(weights: dict, start: str) -> dict:
    return {key: tensor for key, tensor in weights.items() if not key.startswith(start)}


def test_other_kinds_are_named():
    plus = random_ip_adapter("sd15", PLUS, **SMALL)
    layers = without(plus, "image_proj.")
    plain = {**layers, "image_proj.proj.weight": torch.zeros(3072, 1024), "image_proj.norm.weight": torch.zeros(768)}
    face_id = {**layers, "image_proj.proj.0.weight": torch.zeros(1024, 512)}
    face_lora = {**plus, "ip_adapter.0.to_q_lora.down.weight": torch.zeros(1)}
    kolors = random_ip_adapter("sdxl", PLUS, **SMALL, encoder=1024)
    instant = random_ip_adapter("sdxl", PLUS, **SMALL, encoder=512)
    lora = {"lora_unet_down_blocks_0.lora_up.weight": torch.zeros(1)}
    for weights, text in (
        (plain, "is a plain IP-Adapter"), (face_id, "takes InsightFace's embedding"), (face_lora, "FaceID"),
        (kolors, "1024 wide"), (instant, "InstantID"), (lora, "is a LoRA"), (layers, "not known"),
        ({"a.weight": torch.zeros(1)}, "not an IP-Adapter"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text) as refusal:
            recognise(weights)
        assert "ip-adapter-plus-face_sd15" in str(refusal.value)


def test_a_damaged_file_is_refused_with_the_first_wrong_entry():
    weights = random_ip_adapter("sd15", PLUS, **SMALL)
    named = r"x.bin does not hold an IP-Adapter for SD1.5 \(plus\) \(83 tensors\): "
    key = "ip_adapter.9.to_v_ip.weight"
    for damaged, message in (
        (without(weights, "image_proj.norm_out.bias"), rf"{named}1 missing \(image_proj.norm_out.bias\); usable are"),
        ({**weights, key: torch.zeros(3, 768)}, rf"{named}1 of the wrong .*{key} is \(3, 768\), needed is \(32, "),
        ({**weights, "extra": torch.zeros(3)}, rf"{named}1 unknown \(extra\)"),
        ({**weights, key: torch.full((32, 768), torch.nan)}, f"{named}{key} holds values that are not finite"),
        ({**weights, key: "text"}, rf"{named}1 of the wrong shape \({key} is a str"),
        (without(weights, "image_proj.layers.0.0.to_q"), rf"{named}1 missing \(image_proj.layers.0.0.to_q.weight\)"),
        (without(weights, "ip_adapter.31."), "x.bin has 15 layers for text tokens 768 wide"),
    ):
        with pytest.raises(ValueError, match=message):
            recognise(damaged, "x.bin")


def test_a_model_of_another_family_and_another_encoder_are_refused():
    layout = recognise(random_ip_adapter("sd15", PLUS, **SMALL))
    check_model(layout, widths("sd15", 8), 768)
    check_encoder(layout, 1280, "CLIP ViT-H")
    needed = r"controller is an IP-Adapter for SD1.5, which needs 16 cross-attentions, 8 to 32 wide, that read text "
    for channels, context, message in (
        (widths("sdxl", 8), 2048, r"70 cross-attentions, 16 to 32 wide, that read text 2048 wide \(SDXL\): at layer 1"),
        ([8] * 16, 1024, r"read text 1024 wide \(SD2\).* has width 8 and text 1024; load the controller or"),
        ([8] * 16, 640, r"read text 640 wide \(another family\)"),
        (widths("sd15", 16), 768, r"16 to 64 wide.* needed is width 8 and text 768, model has width 16 and text 768"),
        ([*widths("sd15", 8), 8], 768, r"at layer 17 needed is none, model has width 8 and text 768"),
    ):
        with pytest.raises(ValueError, match=rf"{needed}768 wide \(SD1.5\), and model has .*{message}"):
            check_model(layout, channels, context)
    with pytest.raises(ValueError, match="CLIP ViT-L with tokens 1024 wide.*takes 1280"):
        check_encoder(layout, 1024, "CLIP ViT-L")
