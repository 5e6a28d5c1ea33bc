"""FuseAnyPart's two models computed plainly: tensors in published names, one function per formula, nothing kept.

Written from the description of the published programs, on its own: it shares no code with the pack. A picture's noisy
latent, masked latent and mask come in the published order (4, 4, 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Weights = Mapping[str, Tensor]
HEADS, GROUPS = 8, 32


@dataclass
class Extra:
    """What is different from an ordinary UNet. Each takes a block's name, the size there, and gives a tensor or None.

    `attended`: (B, H*W, C) in the place of cross-attention's result, or None for attention to the context.
    `after_norm`: (B, C, H, W), added after the second norm of a ResNet block.
    """

    attended: Callable[[str, tuple[int, int]], Tensor | None] = lambda name, size: None
    after_norm: Callable[[str, tuple[int, int]], Tensor | None] = lambda name, size: None


def part(weights: Weights, prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def conv(w: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    kernel = w[f"{name}.weight"]
    return functional.conv2d(x, kernel, w[f"{name}.bias"], stride, kernel.shape[-1] // 2)


def group_norm(w: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    return functional.group_norm(x, GROUPS, w[f"{name}.weight"], w[f"{name}.bias"], eps)


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def heads(x: Tensor, count: int) -> Tensor:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def attention(w: Weights, name: str, x: Tensor, context: Tensor) -> Tensor:
    q, k, v = (heads(linear(w, f"{name}.to_{one}", t), HEADS) for one, t in (("q", x), ("k", context), ("v", context)))
    mixed = functional.scaled_dot_product_attention(q, k, v)
    return linear(w, f"{name}.to_out.0", mixed.transpose(1, 2).flatten(2))


def transformer(w: Weights, name: str, x: Tensor, context: Tensor, extra: Extra) -> Tensor:
    size, block = (x.shape[-2], x.shape[-1]), f"{name}.transformer_blocks.0"
    h = conv(w, f"{name}.proj_in", group_norm(w, f"{name}.norm", x, 1e-6)).flatten(2).transpose(1, 2)
    n = layer_norm(w, f"{block}.norm1", h)
    h = h + attention(w, f"{block}.attn1", n, n)
    given = extra.attended(name, size)
    h = h + (attention(w, f"{block}.attn2", layer_norm(w, f"{block}.norm2", h), context) if given is None else given)
    values, gates = linear(w, f"{block}.ff.net.0.proj", layer_norm(w, f"{block}.norm3", h)).chunk(2, -1)
    h = h + linear(w, f"{block}.ff.net.2", values * functional.gelu(gates))
    return x + conv(w, f"{name}.proj_out", h.transpose(1, 2).unflatten(2, size))


def resnet(w: Weights, name: str, x: Tensor, time: Tensor, extra: Extra) -> Tensor:
    h = conv(w, f"{name}.conv1", functional.silu(group_norm(w, f"{name}.norm1", x, 1e-5)))
    h = h + linear(w, f"{name}.time_emb_proj", functional.silu(time))[..., None, None]
    h = group_norm(w, f"{name}.norm2", h, 1e-5)
    added = extra.after_norm(name, (h.shape[-2], h.shape[-1]))
    h = conv(w, f"{name}.conv2", functional.silu(h if added is None else h + added))
    return h + (conv(w, f"{name}.conv_shortcut", x) if f"{name}.conv_shortcut.weight" in w else x)


def time_embedding(w: Weights, t: Tensor) -> Tensor:
    half = w["conv_in.weight"].shape[0] // 2
    angles = t.float()[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    first = linear(w, "time_embedding.linear_1", torch.cat([angles.cos(), angles.sin()], -1))
    return linear(w, "time_embedding.linear_2", functional.silu(first))


def unet(w: Weights, x: Tensor, t: int, context: Tensor, extra: Extra | None = None) -> Tensor:
    """Noise prediction (B, 4, H, W) for x (B, 9 or 4, H, W) at timestep t with context (B, n, 768)."""
    extra = extra or Extra()
    time = time_embedding(w, torch.full((len(x),), t))
    h = conv(w, "conv_in", x)
    skips = [h]
    for level in range(4):
        for i in range(2):
            h = resnet(w, f"down_blocks.{level}.resnets.{i}", h, time, extra)
            if level < 3:
                h = transformer(w, f"down_blocks.{level}.attentions.{i}", h, context, extra)
            skips.append(h)
        if level < 3:
            h = conv(w, f"down_blocks.{level}.downsamplers.0.conv", h, 2)
            skips.append(h)
    h = resnet(w, "mid_block.resnets.0", h, time, extra)
    h = transformer(w, "mid_block.attentions.0", h, context, extra)
    h = resnet(w, "mid_block.resnets.1", h, time, extra)
    for level in range(4):
        for i in range(3):
            h = resnet(w, f"up_blocks.{level}.resnets.{i}", torch.cat([h, skips.pop()], 1), time, extra)
            if level > 0:
                h = transformer(w, f"up_blocks.{level}.attentions.{i}", h, context, extra)
        if level < 3:
            bigger = functional.interpolate(h, skips[-1].shape[-2:], mode="nearest")
            h = conv(w, f"up_blocks.{level}.upsamplers.0.conv", bigger)
    return conv(w, "conv_out", functional.silu(group_norm(w, "conv_norm_out", h, 1e-5)))


def enlarge(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 256, C) -> (B, C, *size), nearest."""
    return functional.interpolate(cells.transpose(1, 2).unflatten(2, (16, 16)), size, mode="nearest")


def predict_a(weights: Mapping[str, Weights], x: Tensor, t: int, tokens: Tensor, scale: float = 1.0) -> Tensor:
    """Variant A. `weights`: image_proj2 and unet as published. `tokens`: (B, 257, C), the class token first."""
    w, p = weights["unet"], weights["image_proj2"]
    features = linear(p, "proj.2", functional.gelu(linear(p, "proj.0", tokens[:, 1:])))
    features = layer_norm(p, "proj.3", features)

    def attended(name: str, size: tuple[int, int]) -> Tensor:
        attn2 = f"{name}.transformer_blocks.0.attn2"
        projected = linear(w, f"{attn2}.processor.image_projector", features)
        laid = enlarge(scale * projected, size).flatten(2).transpose(1, 2)
        return linear(w, f"{attn2}.to_out.0", laid)

    return unet(w, x, t, torch.zeros(len(x), 1, 768), Extra(attended=attended))


def predict_b(weights: Weights, x: Tensor, t: int, tokens: Tensor) -> Tensor:
    """Variant B. `weights`: flat, unet.* and image_proj_model.*."""
    w = part(weights, "unet.")

    def after_norm(name: str, size: tuple[int, int]) -> Tensor | None:
        if f"{name}.alpha" not in w:
            return None
        kernel, bias = w[f"{name}.conv1d.weight"], w[f"{name}.conv1d.bias"]
        cells = functional.conv1d(tokens[:, 1:].transpose(1, 2), kernel, bias).transpose(1, 2)
        return w[f"{name}.alpha"] * enlarge(cells, size)

    context = resample(part(weights, "image_proj_model."), tokens)
    return unet(w, x, t, context, Extra(after_norm=after_norm))


def resample(w: Weights, tokens: Tensor) -> Tensor:
    """(B, 257, C) -> (B, 16, 768)."""
    x = linear(w, "proj_in", tokens)
    latents = w["latents"].expand(len(tokens), -1, -1)
    for i in range(4):
        a = f"layers.{i}.0"
        seen, own = layer_norm(w, f"{a}.norm1", x), layer_norm(w, f"{a}.norm2", latents)
        keys, values = linear(w, f"{a}.to_kv", torch.cat([seen, own], 1)).chunk(2, -1)
        q, k, v = (heads(one, 12) for one in (linear(w, f"{a}.to_q", own), keys, values))
        shares = ((q * 64**-0.25) @ (k * 64**-0.25).transpose(-1, -2)).softmax(-1)
        latents = latents + linear(w, f"{a}.to_out", (shares @ v).transpose(1, 2).flatten(2))
        inner = functional.gelu(linear(w, f"layers.{i}.1.1", layer_norm(w, f"layers.{i}.1.0", latents)))
        latents = latents + linear(w, f"layers.{i}.1.3", inner)
    return layer_norm(w, "norm_out", linear(w, "proj_out", latents))


def guided(predict: Callable[[Tensor, int, Tensor], Tensor], face: Tensor, empty: Tensor, cfg: float):
    """(x, t) -> noise, with classifier-free guidance against the features of an empty picture."""

    def noise(x: Tensor, t: int) -> Tensor:
        without, given = predict(x, t, empty), predict(x, t, face)
        return without + cfg * (given - without)

    return noise


def ddim_loop(noise_at: Callable[[Tensor, int], Tensor], start: Tensor, masked: Tensor, steps: int) -> Tensor:
    """Latents after DDIM, eta 0. `masked`: (B, 5, h, w), masked latent and mask, beside x in every call."""
    bars = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    apart, x = 1000 // steps, start
    for t in range((steps - 1) * apart + 1, 0, -apart):
        now, later = bars[t], bars[t - apart] if t >= apart else bars[0]
        noise = noise_at(torch.cat([x, masked], 1), t)
        clean = (x - (1 - now).sqrt() * noise) / now.sqrt()
        x = later.sqrt() * clean + (1 - later).sqrt() * noise
    return x
