"""Random weights in the layouts in which IP-Adapters are published, and what they compute, spelt out plainly.

Both are written here on their own, from the published files' keys and the paper, so that a mistake in the pack shows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

ENCODER = 1280
CONTEXT = {"sd15": 768, "sdxl": 2048}
# Every cross-attention in diffusers' order (way down, way up, middle) as ComfyUI labels it: side, block, index.
PLACES = {
    "sd15": [
        *(("input", n, 0) for n in (1, 2, 4, 5, 7, 8)),
        *(("output", n, 0) for n in (3, 4, 5, 6, 7, 8, 9, 10, 11)),
        ("middle", 0, 0),
    ],
    "sdxl": [
        *(("input", n, i) for n in (4, 5) for i in range(2)),
        *(("input", n, i) for n in (7, 8) for i in range(10)),
        *(("output", n, i) for n in (0, 1, 2) for i in range(10)),
        *(("output", n, i) for n in (3, 4, 5) for i in range(2)),
        *(("middle", 0, i) for i in range(10)),
    ],
}


def widths(family: str, base: int) -> list[int]:
    """The width of each of PLACES for a UNet whose first level is `base` wide (320 is the published one)."""
    level = {
        "sd15": {("input", n): 2 ** (n // 3) for n in (1, 2, 4, 5, 7, 8)}
        | {("output", n): 2 ** (3 - n // 3) for n in range(3, 12)}
        | {("middle", 0): 4},
        "sdxl": {("input", 4): 2, ("input", 5): 2, ("input", 7): 4, ("input", 8): 4, ("middle", 0): 4}
        | {("output", n): 4 if n < 3 else 2 for n in range(6)},
    }[family]
    return [base * level[side, number] for side, number, _ in PLACES[family]]


def random_ip_adapter(
    family: str, variant: str, base: int = 320, seed: int = 0, encoder: int = ENCODER, inner: int | None = None
) -> dict[str, Tensor]:
    """A flat float32 state dict, as in the .safetensors files. `variant`: "plus" or "full face"."""
    context = CONTEXT[family]
    inner = inner or {"sd15": 768, "sdxl": 1280}[family]
    shapes = _plus(encoder, inner, context) if variant == "plus" else _full_face(encoder, context)
    for i, width in enumerate(widths(family, base)):
        for name in ("to_k_ip", "to_v_ip"):
            shapes[f"ip_adapter.{2 * i + 1}.{name}.weight"] = (width, context)
    generator = torch.Generator().manual_seed(seed)
    return {key: _random(key, shape, generator) for key, shape in shapes.items()}


def nested(flat: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """As in the .bin files."""
    groups: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, tensor in flat.items():
        group, _, name = key.partition(".")
        groups[group][name] = tensor
    return groups


def image_tokens(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Encoder tokens (B, n, 1280) -> image tokens, step by step."""
    w = {key.removeprefix("image_proj."): tensor for key, tensor in weights.items() if key.startswith("image_proj.")}
    if "latents" not in w:
        x = F.gelu(F.linear(x, w["proj.0.weight"], w["proj.0.bias"]))
        x = F.linear(x, w["proj.2.weight"], w["proj.2.bias"])
        return _norm(x, w, "proj.3")
    x = F.linear(x, w["proj_in.weight"], w["proj_in.bias"])
    latents = w["latents"].repeat(len(x), 1, 1)
    depth = len({key.split(".")[1] for key in w if key.startswith("layers.")})
    for i in range(depth):
        picture, queries = _norm(x, w, f"layers.{i}.0.norm1"), _norm(latents, w, f"layers.{i}.0.norm2")
        both = torch.cat([picture, queries], 1) @ w[f"layers.{i}.0.to_kv.weight"].T
        k, v = both[..., : both.shape[-1] // 2], both[..., both.shape[-1] // 2 :]
        q = queries @ w[f"layers.{i}.0.to_q.weight"].T
        latents = latents + attention(q, k, v, q.shape[-1] // 64) @ w[f"layers.{i}.0.to_out.weight"].T
        fed = F.gelu(_norm(latents, w, f"layers.{i}.1.0") @ w[f"layers.{i}.1.1.weight"].T)
        latents = latents + fed @ w[f"layers.{i}.1.3.weight"].T
    return _norm(F.linear(latents, w["proj_out.weight"], w["proj_out.bias"]), w, "norm_out")


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, one head after another."""
    outs = []
    for a, b, c in zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1), strict=True):
        outs.append(torch.softmax(a @ b.transpose(1, 2) / math.sqrt(a.shape[-1]), -1) @ c)
    return torch.cat(outs, -1)


def _norm(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def _plus(encoder: int, inner: int, context: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, 16, inner), "proj_in.weight": (inner, encoder), "proj_in.bias": (inner,),
        "proj_out.weight": (context, inner), "proj_out.bias": (context,),
        "norm_out.weight": (context,), "norm_out.bias": (context,),
    }  # fmt: skip
    for i in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{i}.{norm}.weight": (inner,), f"layers.{i}.{norm}.bias": (inner,)}
        shapes |= {
            f"layers.{i}.0.to_q.weight": (inner, inner), f"layers.{i}.0.to_kv.weight": (2 * inner, inner),
            f"layers.{i}.0.to_out.weight": (inner, inner), f"layers.{i}.1.1.weight": (4 * inner, inner),
            f"layers.{i}.1.3.weight": (inner, 4 * inner),
        }  # fmt: skip
    return {f"image_proj.{key}": shape for key, shape in shapes.items()}


def _full_face(encoder: int, context: int) -> dict[str, tuple[int, ...]]:
    return {
        "image_proj.proj.0.weight": (encoder, encoder), "image_proj.proj.0.bias": (encoder,),
        "image_proj.proj.2.weight": (context, encoder), "image_proj.proj.2.bias": (context,),
        "image_proj.proj.3.weight": (context,), "image_proj.proj.3.bias": (context,),
    }  # fmt: skip


def _random(key: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return float(key.endswith("weight")) + 0.1 * noise
    return noise if key.endswith("latents") else noise / math.sqrt(shape[1])
