"""The UNet with its adapter, as one network, and the weight file that Fuse Any Part Loader reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...injection.fuse_any_part.adapters import CROSS_ATTENTION, RESNET, CrossAttentionAdapter, ResnetAdapter
from ...injection.fuse_any_part.diffusers_models import diffusers
from ...injection.fuse_any_part.diffusers_unet import Injection
from ...injection.unet.blocks import BLOCKS
from ...injection.unet.fit import unet_sizes
from ...injection.unet.keys import CHANNELS_IN
from ...injection.unet.projections import Resampler

KINDS = (CROSS_ATTENTION, RESNET)
_LATENT = 4


class FusedDenoiser(nn.Module):
    """Noisy latent, masked latent and mask (N, 9, h, w), timesteps (N,), fused tokens -> predicted noise (N, 4, h, w).

    kind: A or B, see `adapters`. unet: of diffusers, with 9 input channels. width: of the encoder's tokens.
    """

    adapter: CrossAttentionAdapter | ResnetAdapter
    _injection: Injection

    def __init__(self, unet: Any, kind: str, width: int, grid: tuple[int, int], classes: int = 1) -> None:
        super().__init__()
        sizes = unet_sizes(unet, diffusers=True)
        channels, context = {name: size.width for name, size in sizes.items()}, int(unet.config.cross_attention_dim)
        self.unet = unet.requires_grad_(True)
        make = ResnetAdapter if kind == RESNET else CrossAttentionAdapter
        self.adapter = make(channels, width, context)
        if isinstance(self.adapter, ResnetAdapter):
            resampler = self.adapter.image_proj_model
            nn.init.normal_(resampler.latents, std=resampler.latents.shape[-1] ** -0.5)
        self._grid, self._classes = grid, classes
        # Hooks, not a module of its own: its weights are those above.
        object.__setattr__(self, "_injection", Injection(unet, self.adapter))

    def forward(self, rows: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        self._injection.set_features(tokens, self._grid, self._classes)
        return self._injection(rows, timesteps)


def unet_of(base: Path) -> Any:
    """The UNet in `base`/unet, of SD1.5 in diffusers' layout, with 9 input channels of which the new five are 0.

    Raises ValueError for a folder that does not hold one.
    """
    try:
        unet = diffusers().UNet2DConditionModel.from_pretrained(str(base / "unet"), local_files_only=True)
    except (OSError, ValueError) as problem:
        raise ValueError(f"{base} has no SD1.5 UNet in diffusers' layout: {problem}") from problem
    return widened(unet)


def widened(unet: Any) -> Any:
    """The same UNet with CHANNELS_IN input channels; the new ones are 0. Raises ValueError for one of others than 4."""
    before = unet.conv_in
    if before.in_channels == CHANNELS_IN:
        return unet
    if before.in_channels != _LATENT:
        raise ValueError(f"the UNet has {before.in_channels} input channels; needed are {_LATENT} or {CHANNELS_IN}")
    after = nn.Conv2d(CHANNELS_IN, before.out_channels, before.kernel_size, before.stride, before.padding)
    with torch.no_grad():
        after.weight.zero_()
        after.weight[:, :_LATENT] = before.weight
        after.bias.copy_(before.bias)  # type: ignore[union-attr]
    unet.conv_in = after
    unet.register_to_config(in_channels=CHANNELS_IN)
    return unet


def save_denoiser(net: FusedDenoiser, path: Path) -> None:
    """In the published layout, flat; `checkpoint.load_checkpoint` reads it.

    A's resampler, which the published program computes and drops, is not trained. B's alphas are 1: they are learned
    within the layers that they scale.
    """
    tensors = {f"unet.{name}": value for name, value in net.unet.state_dict().items()}
    adapter = net.adapter
    if isinstance(adapter, CrossAttentionAdapter):
        context = next(iter(adapter.block_sizes.values())).context
        unused = Resampler(width_in=adapter.width, width_out=context)
        tensors |= {f"image_proj.{name}": value for name, value in unused.state_dict().items()}
        tensors |= {f"image_proj2.{name}": value for name, value in adapter.image_proj2.state_dict().items()}
        for block in BLOCKS:
            layer = adapter.image_projector[block.name]
            name = f"unet.{block.diffusers_cross_attention}.processor.image_projector"
            tensors |= {f"{name}.{part}": getattr(layer, part) for part in ("weight", "bias")}
    else:
        tensors |= {f"image_proj_model.{name}": v for name, v in adapter.image_proj_model.state_dict().items()}
        for block in BLOCKS:
            weights, name = adapter.conv1d[block.name].state_dict(), f"unet.{block.diffusers_resnet}.conv1d"
            tensors |= {f"{name}.weight": weights["weight"][..., None], f"{name}.bias": weights["bias"]}
            tensors[f"unet.{block.diffusers_resnet}.alpha"] = torch.ones(())
    part = path.with_suffix(".part")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part)
    part.replace(path)
