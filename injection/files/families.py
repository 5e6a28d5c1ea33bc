"""The kind of weights in a state dict, recognised by its keys, so that an error can say what came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..unet.fit import TEXT_FAMILIES

# Part of a key -> the kind of file that has it. The first match counts: a LoRA of a ControlNet is a LoRA.
_KINDS = (
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
# Asked after the UNet, as a checkpoint has these parts beside it.
_PARTS = (
    ("first_stage_model.", "a VAE"),
    ("decoder.conv_in.", "a VAE"),
    ("vision_model.", "a CLIP vision encoder"),
    ("text_model.", "a text encoder"),
)


def family(state: Mapping[str, Any]) -> str:
    """The kind of weights, for example "an SDXL checkpoint"; "" for an unknown kind.

    state: key -> tensor; only keys and shapes are read.
    """
    return _kind(state, _KINDS) or unet_family(state) or _kind(state, _PARTS)


def unet_family(state: Mapping[str, Any]) -> str:
    """The same for a UNet by itself or in a checkpoint, in diffusers or LDM names."""
    first = _tensor(state, "conv_in.weight", "input_blocks.0.0.weight")
    keys = _tensor(state, "transformer_blocks.0.attn2.to_k.weight")
    if first is None or keys is None:
        return ""
    name = TEXT_FAMILIES.get(keys.shape[-1], f"(text width {keys.shape[-1]})")
    kind = "checkpoint" if any(k.startswith("model.diffusion_model.") for k in state) else "UNet"
    layout = "LDM" if any("input_blocks." in k for k in state) else "diffusers"
    return f"{_article(name)} {name} {kind} in {layout} naming with {first.shape[1]} input channels"


def _article(name: str) -> str:
    return "an" if name.startswith("S") else "a"


def _kind(state: Mapping[str, Any], kinds: tuple[tuple[str, str], ...]) -> str:
    return next((kind for part, kind in kinds if any(part in key for key in state)), "")


def _tensor(state: Mapping[str, Any], *ends: str) -> Tensor | None:
    """The first matrix or larger tensor whose key has one of these ends."""
    tensors = (v for k, v in state.items() if k.endswith(ends) and isinstance(v, Tensor) and not v.is_nested)
    return next((tensor for tensor in tensors if tensor.ndim > 1), None)
