"""Whether an adapter fits a UNet: what is compared, and what the message says."""

from __future__ import annotations

from typing import Any

import pytest
from face_part_fusion.injection.unet.blocks import BLOCKS
from face_part_fusion.injection.unet.fit import AttentionSize, check_fit, unet_sizes
from torch import nn

SD15 = {"input_1": AttentionSize(320, 768), "middle_0": AttentionSize(1280, 768)}
WORDS: Any = {"adapter": "adapter is of the family SD1.5", "unet": "model", "advice": "load another"}


def nested(path: str, module: nn.Module) -> nn.Module:
    """A module that has `module` at `path`."""
    for name in reversed(path.split(".")):
        module = nn.ModuleDict({name: module})
    return module


@pytest.mark.parametrize("diffusers", [False, True])
def test_a_unets_blocks_are_measured_in_either_naming_and_the_others_are_absent(diffusers: bool):
    attention = nn.ModuleDict({"to_q": nn.Linear(32, 32), "to_k": nn.Linear(24, 32)})
    block = BLOCKS[6]
    unet = nested(block.diffusers_cross_attention if diffusers else block.cross_attention, attention)
    assert unet_sizes(unet, diffusers=diffusers) == {"middle_0": AttentionSize(32, 24)}
    assert unet_sizes(unet, diffusers=not diffusers) == unet_sizes(None) == {}


def test_further_blocks_of_the_unet_are_allowed_unless_the_fit_is_exact():
    larger = {**SD15, "output_3": AttentionSize(640, 768)}
    check_fit(SD15, larger, **WORDS)
    check_fit(SD15, dict(reversed(SD15.items())), exact=True, **WORDS)
    with pytest.raises(ValueError, match="at output_3 needed is none, model has width 640 and text 768"):
        check_fit(SD15, larger, exact=True, **WORDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"middle_0": AttentionSize(1024, 768)}, "at middle_0 needed is width 1280 and text 768, model has width 1024"),
        ({"input_1": AttentionSize(320, 1024)}, "model has width 320 and text 1024; load another"),
    ],
)
def test_the_first_difference_is_named_with_what_is_needed_and_what_came(change, message):
    with pytest.raises(ValueError, match=f"^adapter is of the family SD1.5, which needs 2 cross-attentions.*{message}"):
        check_fit(SD15, {**SD15, **change}, **WORDS)


def test_both_sides_are_described_with_their_family():
    with pytest.raises(ValueError) as refusal:
        check_fit(SD15, {"input_1": AttentionSize(320, 2048)}, **WORDS)
    needed, came = str(refusal.value).split(", and model has ", 1)
    assert needed.endswith("which needs 2 cross-attentions, 320 to 1280 wide, that read text 768 wide (SD1.5)")
    assert came.startswith("1 cross-attentions, 320 wide, that read text 2048 wide (SDXL): at input_1")
    with pytest.raises(ValueError, match="model has no such cross-attention: at input_1 .* model has none; load"):
        check_fit(SD15, {}, **WORDS)
