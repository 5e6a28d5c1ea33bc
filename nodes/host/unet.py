"""UNet weights into the host's MODEL; a fine-tuning carried over to another checkpoint by the host's own patches."""

from __future__ import annotations

from typing import Any

import comfy.sd
import torch

from ...injection.files.weight_file import read_weights
from ...injection.fuse_any_part.checkpoint import FuseCheckpoint, read_checkpoint

DEFAULT = "default"
WEIGHT_TYPES = {DEFAULT: None, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_UNET = "diffusion_model."
_CONV_IN = "diffusion_model.input_blocks.0.0.weight"
_LATENT = (1, 0, 4)  # dimension, start and length of the input channels that every SD1.5 model has


def load_unet(path: str, weight_type: str = DEFAULT, disable_dynamic: bool = False) -> Any:
    """The host's model of the UNet in the FuseAnyPart file `path`. Also how the host makes another copy of it."""
    return as_model(read_checkpoint(read_weights(path), path), path, weight_type, disable_dynamic)


def as_model(checkpoint: FuseCheckpoint, path: str, weight_type: str, disable_dynamic: bool = False) -> Any:
    """The host's model of a checkpoint that was read from `path`. Raises ValueError when the host does not take it."""
    # The keyword is younger than the oldest host, and hosts without it never ask.
    more = {"disable_dynamic": True} if disable_dynamic else {}
    options = {"dtype": WEIGHT_TYPES[weight_type]} if WEIGHT_TYPES[weight_type] else {}
    model = comfy.sd.load_diffusion_model_state_dict(checkpoint.host_unet(), options, **more)
    if model is None:
        raise ValueError(
            f"the UNet in {path} is {checkpoint.widths[0]} channels wide at its first level, and ComfyUI takes 320 for "
            "SD1.5; take FuseAnyPart's own file"
        )
    model.cached_patcher_init = (load_unet, (path, weight_type))
    return model


def carry_over(model: Any, onto: Any, base: Any) -> Any:
    """`model` plus what `onto` differs from `base`, as patches on a copy; of the first layer its latent channels only.

    Both are SD1.5 models with 4 input channels; LoRAs on them count. Raises ValueError for another family.
    """
    shapes = _shapes(model.get_key_patches(_UNET))
    wanted, given = (_patches(name, other, shapes) for name, other in (("onto", onto), ("base", base)))
    # The difference is made first, so that equal models change nothing, bit for bit.
    differences = {key: [*weight, (-1.0, given[key], 1.0, None, None)] for key, weight in wanted.items()}
    carried = model.clone()
    # In one call: the host lists all of the model's weights in each.
    carried.add_patches({(key, _LATENT) if key == _CONV_IN else key: d for key, d in differences.items()})
    return carried


def _patches(name: str, other: Any, shapes: dict[str, tuple[int, ...]]) -> dict[str, list]:
    """The weights and patches of `other` by key, checked against the shapes of FuseAnyPart's model."""
    family = type(other.model.model_config).__name__
    patches = other.get_key_patches(_UNET)
    found = _shapes(patches)
    needed = "needed is an ordinary SD1.5 checkpoint's model with 4 input channels"
    channels = found.get(_CONV_IN, (0, 0))[1]
    if found.keys() == shapes.keys() and channels not in (4, 0):
        raise ValueError(f"{name} has {channels} input channels, as inpainting models have; {needed}")
    if found != shapes | {_CONV_IN: (shapes[_CONV_IN][0], 4, 3, 3)}:
        raise ValueError(f"{name} is a model of ComfyUI's family {family}, built differently; {needed}")
    return patches


def _shapes(patches: dict[str, list]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(patch[0][0].shape) for key, patch in patches.items()}
