"""The layout-conditioned latent diffusion model as the host's MODEL and VAE, and its conditioning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management as mm
import comfy.ops
import comfy.sd
import comfy.supported_models_base
import torch
from torch import Tensor

from ...injection.hs_diffusion.codec import Codec
from ...injection.hs_diffusion.file import BETAS, DiffusionConfig
from ...injection.hs_diffusion.layout_unet import LayoutUNet, UNetShape, layout_cells
from .patcher import in_patcher, managed

# The layout's name in a conditioning.
KEY = "face_part_fusion_head_layout"
_WIRE_IT = "wire conditioning of Layout Complete into the sampler's positive and negative"
_DTYPES = [torch.float16, torch.bfloat16, torch.float32]


def layout_conditioning(areas: Tensor) -> list[Any]:
    """CONDITIONING that carries layouts (B, 5, H, W); it has no text."""
    return [[torch.zeros(1, 1, 1), {KEY: areas}]]


def as_model(config: DiffusionConfig, weights: Mapping[str, Tensor]) -> Any:
    """MODEL. `weights`: the checked state dict of a `LayoutUNet`."""
    settings = _Config({"shape": config.unet})
    settings.latent_format = _Latents(config)
    device = mm.get_torch_device()
    size = sum(weight.numel() for weight in weights.values())
    dtype = mm.unet_dtype(model_params=size, supported_dtypes=_DTYPES)
    settings.set_inference_dtype(dtype, mm.unet_manual_cast(dtype, device, _DTYPES))
    patcher = in_patcher(_LayoutDiffusion(settings, config.codec.factor), device, mm.unet_offload_device())
    # As it is in memory: a host that manages memory dynamically takes the tensors themselves.
    network, typed = patcher.model.diffusion_model, {key: value.to(dtype) for key, value in weights.items()}
    dynamic = getattr(patcher, "is_dynamic", lambda: False)()
    network.load_state_dict(typed, **({"assign": True} if dynamic else {}))
    return patcher


def as_vae(config: DiffusionConfig, weights: Mapping[str, Tensor]) -> Any:
    """VAE. `weights`: the checked state dict of a `Codec`."""
    # The host's smallest codec, so that the object has every attribute that this version of the host reads.
    vae = comfy.sd.VAE(sd={"taesd_decoder.1.weight": torch.zeros(64, config.codec.latent, 3, 3)})
    codec = Codec(config.codec, comfy.ops.manual_cast).eval().requires_grad_(False)
    vae.patcher = managed(codec, dict(weights))
    vae.first_stage_model = codec
    vae.downscale_ratio = vae.upscale_ratio = config.codec.factor
    vae.size = None
    return vae


class _Config(comfy.supported_models_base.BASE):
    unet_extra_config: dict[str, Any] = {}
    sampling_settings = {"linear_start": BETAS[0], "linear_end": BETAS[1]}


class _Latents(comfy.latent_formats.LatentFormat):
    def __init__(self, config: DiffusionConfig) -> None:
        self.scale_factor, self.latent_channels = config.scale, config.codec.latent
        self.spacial_downscale_ratio = config.codec.factor


class _HostUNet(LayoutUNet):
    def __init__(self, shape: UNetShape, dtype: torch.dtype, device: Any, operations: Any) -> None:
        super().__init__(shape, operations)
        self.dtype = dtype
        self.to(device=device, dtype=dtype).requires_grad_(False)


class _LayoutDiffusion(comfy.model_base.BaseModel):
    def __init__(self, config: _Config, factor: int) -> None:
        super().__init__(config, device=mm.unet_offload_device(), unet_model=_HostUNet)
        self.factor = factor

    def concat_cond(self, **inputs: Any) -> Tensor:
        """The layout (B or 1, 5, h, w) at the latent's size. Raises ValueError without one and for another size."""
        noise, areas = inputs["noise"], inputs.get(KEY)
        if areas is None:
            raise ValueError(f"this model needs a head layout, and the conditioning has none; {_WIRE_IT}")
        cells = layout_cells(areas.float(), self.factor)
        if cells.shape[2:] != noise.shape[2:]:
            raise ValueError(
                f"the layout is {areas.shape[3]} x {areas.shape[2]} pixels, which are {cells.shape[3]} x "
                f"{cells.shape[2]} cells, and the sampled latent is {noise.shape[3]} x {noise.shape[2]}; encode the "
                "pictures of the same Head Layout with this model's VAE"
            )
        if len(cells) not in (1, len(noise)):
            raise ValueError(
                f"the conditioning has {len(cells)} layouts and the latent {len(noise)} pictures; use one layout, or "
                "equally many"
            )
        return cells.to(inputs["device"])
