"""The models of FuseAnyPart without ComfyUI: VAE and picture encoder of a diffusers base folder, UNet and adapter of
FuseAnyPart's own weights.

Folders are read from disk; nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...fusion.features.encoder import Encoder
from ..files.weight_check import listed
from ..unet.keys import CHANNELS_IN, CONTEXT
from .adapters import Adapter
from .checkpoint import FuseCheckpoint

INSTALL = 'pip install "face-part-fusion[diffusers]"'
_MISSING = f"FuseAnyPart without ComfyUI needs the package {{}}; run: {INSTALL}"
BASE = "an SD1.5 model in diffusers' layout with a vae folder, such as SG161222/Realistic_Vision_V4.0_noVAE"
ENCODER = "ViT-H/14 in transformers' layout (a CLIPVisionModelWithProjection), models/image_encoder of h94/IP-Adapter"

# Mean and standard deviation, per channel, of the pictures that every CLIP was trained on.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def build_unet(checkpoint: FuseCheckpoint, device: torch.device, dtype: torch.dtype) -> Any:
    """A `UNet2DConditionModel` with the checkpoint's UNet in it; 8 heads and 32 groups, as SD1.5 has.

    Raises ValueError for widths that such a UNet cannot have.
    """
    try:
        with torch.device("meta"):
            unet = diffusers().UNet2DConditionModel(
                in_channels=CHANNELS_IN, block_out_channels=checkpoint.widths, cross_attention_dim=CONTEXT,
                attention_head_dim=8, norm_num_groups=32,
            )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"the weights' UNet has levels of {checkpoint.widths} channels: {_one_line(error)}") from error
    unet.load_state_dict({name: t.to(device, dtype) for name, t in checkpoint.unet.items()}, assign=True)
    return unet.eval().requires_grad_(False)


def build_adapter(checkpoint: FuseCheckpoint, device: torch.device, dtype: torch.dtype) -> Adapter:
    """The checkpoint's adapter."""
    adapter = checkpoint.empty_adapter(device="meta")
    adapter.load_state_dict({name: t.to(device, dtype) for name, t in checkpoint.adapter.items()}, assign=True)
    return adapter.eval().requires_grad_(False)


def load_vae(base: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """The `AutoencoderKL` in `base`/vae. Raises FileNotFoundError or ValueError naming the folder."""
    vae = _loaded(diffusers().AutoencoderKL, base / "vae", "base", BASE, torch_dtype=dtype)
    if vae.config.latent_channels != 4:
        raise ValueError(f"{base / 'vae'} makes latents of {vae.config.latent_channels} channels; base must be {BASE}")
    return vae.to(device).eval().requires_grad_(False)


def load_encoder(folder: Path, device: torch.device, dtype: torch.dtype) -> Encoder:
    """The `CLIPVisionModelWithProjection` in `folder`, giving the tokens before its last layer.

    Raises FileNotFoundError or ValueError naming the folder.
    """
    model = _loaded(transformers().CLIPVisionModelWithProjection, folder, "encoder", ENCODER)
    model.to(device, dtype).eval().requires_grad_(False)

    def run(pixel_values: Tensor) -> Tensor:
        out = model(pixel_values.to(device, dtype), output_hidden_states=True)
        return out.hidden_states[-2].float().cpu()

    size, cells = model.config.image_size, model.config.image_size // model.config.patch_size
    return Encoder(
        str(folder), size, (cells, cells), 1, model.config.hidden_size, _CLIP_MEAN, _CLIP_STD, run, model
    )  # fmt: skip


def diffusers() -> Any:
    """The package. Raises ModuleNotFoundError that says how to install it."""
    try:
        import diffusers
    except ModuleNotFoundError:
        raise ModuleNotFoundError(_MISSING.format("diffusers")) from None
    return diffusers


def transformers() -> Any:
    """The package. Raises ModuleNotFoundError that says how to install it."""
    try:
        import transformers
    except ModuleNotFoundError:
        raise ModuleNotFoundError(_MISSING.format("transformers")) from None
    return transformers


def _loaded(kind: Any, folder: Path, option: str, needed: str, **settings: Any) -> Any:
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"there is no file {folder / 'config.json'}; {option} must be {needed}")
    try:
        model, report = kind.from_pretrained(str(folder), local_files_only=True, output_loading_info=True, **settings)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} cannot be read ({_one_line(error)}); {option} must be {needed}") from error
    # Both libraries fill a missing tensor with noise.
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{folder} does not hold a complete {kind.__name__}: {len(missing)} missing ({listed(missing)}); {option} "
            f"must be {needed}"
        )
    return model


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
