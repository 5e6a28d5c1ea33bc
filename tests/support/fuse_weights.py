"""Random weights in the layouts in which FuseAnyPart's two models are published.

The layouts are spelt out here on their own, so that a mistake in the pack's tables shows. `SMALL` is the least that a
host takes for SD1.5; `TINY` is for tests without a host.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from face_part_fusion.injection.unet.keys import unet_shapes
from torch import Tensor

SMALL = (320, 320, 320, 320)
TINY = (32, 32, 32, 32)
FULL = (320, 640, 1280, 1280)

# Block in diffusers naming, without the number within it -> how many, and which of the four widths they have.
SIDES = {
    "down_blocks.0": (2, 0), "down_blocks.1": (2, 1), "down_blocks.2": (2, 2), "mid_block": (1, 3),
    "up_blocks.1": (3, 2), "up_blocks.2": (3, 1), "up_blocks.3": (3, 0),
}  # fmt: skip


def random_fap(kind: str, widths: Sequence[int] = SMALL, seed: int = 0, width: int = 1280) -> dict[str, Any]:
    """Float32 weights: "A" as {"image_proj": {}, "image_proj2": {}, "unet": {}}, "B" flat as the training saves it.

    `widths`: of the UNet's four levels. `width`: of the encoder's tokens. A signal keeps its size through every layer,
    so that outputs are finite and every weight matters.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = layout(kind, widths, width)
    filled = {g: {k: _random(k, s, generator) for k, s in inside.items()} for g, inside in shapes.items()}
    return filled if kind == "A" else flat(filled)


def layout(kind: str, widths: Sequence[int] = FULL, width: int = 1280) -> dict[str, dict[str, tuple[int, ...]]]:
    """Group -> name -> shape of every published tensor."""
    unet = unet_shapes(widths)
    if kind == "A":
        unet |= _image_projectors(widths)
        return {"image_proj": _resampler(width), "image_proj2": _projection(width), "unet": unet}
    return {"unet": unet | _resnet_additions(widths, width), "image_proj_model": _resampler(width)}


def flat(nested: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """{"unet": {"conv_in.bias": t}} -> {"unet.conv_in.bias": t}."""
    return {f"{group}.{name}": tensor for group, inside in nested.items() for name, tensor in inside.items()}


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if name.endswith("alpha"):
        return 1 + 0.3 * noise
    if len(shape) < 2:
        scale = name.endswith("weight")
        return float(scale) + 0.1 * noise
    return noise / math.sqrt(math.prod(shape[1:])) if name != "latents" else noise


def _image_projectors(widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for side, (count, level) in SIDES.items():
        for j in range(count):
            name = f"{side}.attentions.{j}.transformer_blocks.0.attn2.processor.image_projector"
            shapes |= {f"{name}.weight": (widths[level], 768), f"{name}.bias": (widths[level],)}
    return shapes


def _resnet_additions(widths: Sequence[int], width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for side, (count, level) in SIDES.items():
        for j in range(count):
            name = f"{side}.resnets.{j}"
            shapes[f"{name}.alpha"] = ()
            shapes |= {f"{name}.conv1d.weight": (widths[level], width, 1), f"{name}.conv1d.bias": (widths[level],)}
    return shapes


def _projection(width: int) -> dict[str, tuple[int, ...]]:
    return {
        "proj.0.weight": (width, width), "proj.0.bias": (width,), "proj.2.weight": (768, width), "proj.2.bias": (768,),
        "proj.3.weight": (768,), "proj.3.bias": (768,),
    }  # fmt: skip


def _resampler(width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, 16, 768), "proj_in.weight": (768, width), "proj_in.bias": (768,),
        "proj_out.weight": (768, 768), "proj_out.bias": (768,), "norm_out.weight": (768,), "norm_out.bias": (768,),
    }  # fmt: skip
    for i in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{i}.{norm}.weight": (768,), f"layers.{i}.{norm}.bias": (768,)}
        shapes |= {
            f"layers.{i}.0.to_q.weight": (768, 768), f"layers.{i}.0.to_kv.weight": (1536, 768),
            f"layers.{i}.0.to_out.weight": (768, 768), f"layers.{i}.1.1.weight": (3072, 768),
            f"layers.{i}.1.3.weight": (768, 3072),
        }  # fmt: skip
    return shapes
