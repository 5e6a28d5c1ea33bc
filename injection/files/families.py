"""Which kind of weights a state dict holds, told by its keys: so that an error can say what came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..unet.keys import CONTEXT

# Width of the text that a UNet reads -> family.
TEXT_FAMILIES = {CONTEXT: "SD1.5", 1024: "SD2", 2048: "SDXL"}

# A part of a key -> what has it, the telling ones first.
_MARKS = (
    ("lora_", "a LoRA"),
    (".lora.", "a LoRA"),
    ("ip_adapter.", "an IP-Adapter file"),
    ("control_model.", "a ControlNet"),
    ("controlnet_", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    ("param_groups", "the optimiser's state of a training run"),
    ("conditioner.embedders.", "an SDXL checkpoint"),
    ("cond_stage_model.model.", "an SD2 checkpoint"),
)
_LAST = (
    ("first_stage_model.", "a VAE"),
    ("decoder.conv_in.", "a VAE"),
    ("vision_model.", "a CLIP vision encoder"),
    ("text_model.", "a text encoder"),
)


def family(state: Mapping[str, Any]) -> str:
    """What the keys and shapes say, for example "an SDXL checkpoint"; "" for what is not known."""
    return _marked(state, _MARKS) or unet_family(state) or _marked(state, _LAST)


def unet_family(state: Mapping[str, Any]) -> str:
    """The same for a UNet by itself or in a checkpoint, in diffusers or LDM names."""
    first = _tensor(state, "conv_in.weight", "input_blocks.0.0.weight")
    keys = _tensor(state, "transformer_blocks.0.attn2.to_k.weight")
    if first is None or keys is None:
        return ""
    named = TEXT_FAMILIES.get(keys.shape[-1], "")
    name = f"{named} " if named else f"(text width {keys.shape[-1]}) "
    kind = "checkpoint" if any(k.startswith("model.diffusion_model.") for k in state) else "UNet"
    layout = "LDM" if any("input_blocks." in k for k in state) else "diffusers"
    return f"{_article(name)} {name}{kind} in {layout} naming with {first.shape[1]} input channels"


def _article(name: str) -> str:
    return "an" if name.startswith("S") else "a"


def _marked(state: Mapping[str, Any], marks: tuple[tuple[str, str], ...]) -> str:
    return next((what for mark, what in marks if any(mark in key for key in state)), "")


def _tensor(state: Mapping[str, Any], *ends: str) -> Tensor | None:
    named = (v for k, v in state.items() if k.endswith(ends) and isinstance(v, Tensor) and not v.is_nested)
    found = (v for v in named if v.ndim > 1)
    return next(found, None)
