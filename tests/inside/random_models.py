"""Small models with random weights that a real host detects and samples: Stable Diffusion 1.5, SDXL and SD3 (flow).

For scripts beside this file, after `host.start()`. The weights are drawn here; nothing is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Family:
    """`detected`: the host's class for it. `channels`: of its latent. `text`, `pooled`: widths of its conditioning."""

    detected: str
    channels: int
    text: int
    pooled: int


FAMILIES = {
    "sd15": Family("BaseModel", 4, 768, 0),
    "sdxl": Family("SDXL", 4, 2048, 1280),
    "flow": Family("SD3", 16, 64, 32),
}


def random_model(kind: str, seed: int = 0) -> Any:
    """A host MODEL of FAMILIES, float32, through the host's own detection. 26, 63 and 0.1 million parameters."""
    import comfy.sd

    weights = {k: _drawn(v, i + 1000 * seed) for i, (k, v) in enumerate(_NETWORKS[kind]().state_dict().items())}
    model = comfy.sd.load_diffusion_model_state_dict(weights)
    found = "nothing" if model is None else type(model.model).__name__
    if found != FAMILIES[kind].detected:
        raise RuntimeError(f"this host detected {found} where {FAMILIES[kind].detected} was made")
    return model


def random_conditioning(kind: str, seed: int, tokens: int = 77) -> list[list[Any]]:
    """A host CONDITIONING of the family's widths."""
    family, draw = FAMILIES[kind], torch.Generator().manual_seed(seed)
    more: dict[str, Tensor] = {}
    if family.pooled:
        more["pooled_output"] = torch.randn(1, family.pooled, generator=draw)
    return [[torch.randn(1, tokens, family.text, generator=draw), more]]


def _drawn(like: Tensor, seed: int) -> Tensor:
    """Random values with which signals neither die nor explode."""
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return noise / max(1, like[0].numel()) ** 0.5 if like.ndim > 1 else noise * 0.1 + 0.5


def _unet(**sizes: Any) -> Any:
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return UNetModel(
        image_size=32, in_channels=4, out_channels=4, model_channels=320, use_spatial_transformer=True, legacy=False,
        num_head_channels=64, operations=comfy.ops.manual_cast, device=None, **sizes,
    )  # fmt: skip


def _sd15() -> Any:
    return _unet(
        num_res_blocks=[1], channel_mult=[1], transformer_depth=[1], transformer_depth_output=[1, 1],
        transformer_depth_middle=1, context_dim=768,
    )  # fmt: skip


def _sdxl() -> Any:
    # The depths of KOALA, the least that the host takes for an SDXL.
    return _unet(
        num_res_blocks=[1, 1, 1], channel_mult=[1, 1, 1], transformer_depth=[0, 2, 5],
        transformer_depth_output=[0] * 6, transformer_depth_middle=-1, context_dim=2048,
        use_linear_in_transformer=True, num_classes="sequential", adm_in_channels=2816,
    )  # fmt: skip


def _sd3() -> Any:
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    family = FAMILIES["flow"]
    return OpenAISignatureMMDITWrapper(
        input_size=None, in_channels=16, out_channels=16, depth=1, adm_in_channels=family.pooled, num_patches=16 * 16,
        pos_embed_max_size=16, pos_embed_scaling_factor=None, operations=comfy.ops.manual_cast, device=None,
        context_embedder_config={
            "target": "torch.nn.Linear", "params": {"in_features": family.text, "out_features": 64}
        },
    )  # fmt: skip


_NETWORKS = {"sd15": _sd15, "sdxl": _sdxl, "flow": _sd3}
