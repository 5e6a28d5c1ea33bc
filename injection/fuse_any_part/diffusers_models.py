"""What a diffusers base folder brings (VAE, picture encoder), and the UNet that FuseAnyPart's own weights make.

Folders are read from disk only; nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...fusion.features.encode import Encoder
from ..unet.keys import CHANNELS_IN, CONTEXT
from .adapters import CROSS_ATTENTION, CrossAttentionAdapter, ResnetAdapter
from .checkpoint import FuseCheckpoint
from .diffusers_unet import Adapter

INSTALL = 'pip install "face-part-fusion[diffusers]"'
BASE = "an SD1.5 model in diffusers' layout with a vae folder, such as SG161222/Realistic_Vision_V4.0_noVAE"
ENCODER = "ViT-H/14 in transformers' layout (a CLIPVisionModelWithProjection), models/image_encoder of h94/IP-Adapter"

# Of the pictures that every CLIP was trained on.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def build_unet(checkpoint: FuseCheckpoint, place: torch.device, dtype: torch.dtype) -> Any:
    """A `UNet2DConditionModel` that holds the checkpoint's UNet in `dtype` on `place`; 8 heads and 32 groups as SD1.5.

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
    unet.load_state_dict({name: t.to(place, dtype) for name, t in checkpoint.unet.items()}, assign=True)
    return unet.eval().requires_grad_(False)


def build_adapter(checkpoint: FuseCheckpoint, place: torch.device, dtype: torch.dtype) -> Adapter:
    """The checkpoint's adapter in `dtype` on `place`."""
    adapter: Adapter
    if checkpoint.kind == CROSS_ATTENTION:
        adapter = CrossAttentionAdapter(checkpoint.channels, checkpoint.width, CONTEXT, device="meta")
    else:
        adapter = ResnetAdapter(checkpoint.channels, checkpoint.width, CONTEXT, device="meta")
    adapter.load_state_dict({name: t.to(place, dtype) for name, t in checkpoint.adapter.items()}, assign=True)
    return adapter.eval().requires_grad_(False)


def load_vae(base: Path, place: torch.device, dtype: torch.dtype) -> Any:
    """The `AutoencoderKL` in `base`/vae. Raises FileNotFoundError or ValueError naming the folder."""
    vae = _loaded(diffusers().AutoencoderKL, base / "vae", "base", BASE, torch_dtype=dtype)
    if vae.config.latent_channels != 4:
        raise ValueError(f"{base / 'vae'} makes latents of {vae.config.latent_channels} channels; base must be {BASE}")
    return vae.to(place).eval().requires_grad_(False)


def load_encoder(folder: Path, place: torch.device, dtype: torch.dtype) -> Encoder:
    """The `CLIPVisionModelWithProjection` in `folder`, giving the tokens before its last layer.

    Raises FileNotFoundError or ValueError naming the folder.
    """
    model = _loaded(transformers().CLIPVisionModelWithProjection, folder, "encoder", ENCODER)
    model.to(place, dtype).eval().requires_grad_(False)

    def run(pixel_values: Tensor) -> Tensor:
        seen = model(pixel_values.to(place, dtype), output_hidden_states=True)
        return seen.hidden_states[-2].float().cpu()

    size, cells = model.config.image_size, model.config.image_size // model.config.patch_size
    return Encoder(
        str(folder), size, (cells, cells), 1, model.config.hidden_size, _CLIP_MEAN, _CLIP_STD, run, model
    )  # fmt: skip


def diffusers() -> Any:
    """The package. Raises ModuleNotFoundError that says how to install it."""
    try:
        import diffusers
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"FuseAnyPart without ComfyUI needs the package diffusers; run: {INSTALL}") from None
    return diffusers


def transformers() -> Any:
    """The package. Raises ModuleNotFoundError that says how to install it."""
    try:
        import transformers
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"FuseAnyPart without ComfyUI needs the package transformers; run: {INSTALL}"
        ) from None
    return transformers


def _loaded(kind: Any, folder: Path, what: str, needed: str, **more: Any) -> Any:
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"there is no file {folder / 'config.json'}; {what} must be {needed}")
    try:
        model, told = kind.from_pretrained(str(folder), local_files_only=True, output_loading_info=True, **more)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} cannot be read ({_one_line(error)}); {what} must be {needed}") from error
    # Both libraries fill what is missing with noise.
    if missing := sorted(told["missing_keys"]):
        raise ValueError(
            f"{folder} lacks {len(missing)} tensors of a {kind.__name__}, {missing[0]} among them; {what} must be "
            f"{needed}"
        )
    return model


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
