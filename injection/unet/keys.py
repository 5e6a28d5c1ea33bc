"""Keys and shapes of an SD1.5 UNet's weights, computed from its structure, in diffusers and in LDM (ComfyUI) naming.

The down path has four levels of two ResNet blocks each, with a transformer block after every ResNet block of the first
three levels; the up path has three of each per level. At SD1.5's widths these are 686 tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

# Channels of the four levels.
WIDTHS = (320, 640, 1280, 1280)
# Width of the text tokens.
CONTEXT = 768
# FuseAnyPart's: latent (4), masked latent (4), mask (1).
CHANNELS_IN = 9

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

# FuseAnyPart concatenates latent, masked latent, mask; ComfyUI latent, mask, masked latent.
HOST_ORDER = (0, 1, 2, 3, 8, 4, 5, 6, 7)

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


@dataclass(frozen=True)
class Layer:
    """One module of the UNet that has weights of its own: its two names, and the shape of every weight in it."""

    diffusers: str
    ldm: str
    shapes: Shapes


def unet_shapes(widths: Sequence[int] = WIDTHS, channels_in: int = CHANNELS_IN) -> dict[str, Shape]:
    """Diffusers name -> shape of every weight. `widths`: channels of the four levels."""
    return {
        f"{layer.diffusers}.{name}": shape
        for layer in _layers(widths, channels_in)
        for name, shape in layer.shapes.items()
    }


def ldm_names(widths: Sequence[int] = WIDTHS) -> dict[str, str]:
    """Diffusers name -> LDM name of every weight."""
    return {
        f"{layer.diffusers}.{name}": f"{layer.ldm}.{name}"
        for layer in _layers(widths, CHANNELS_IN)
        for name in layer.shapes
    }


def host_unet(unet: Mapping[str, Tensor], widths: Sequence[int] = WIDTHS) -> dict[str, Tensor]:
    """The same weights in LDM names, the input channels in the order that ComfyUI concatenates them."""
    weights = {ldm: unet[diffusers] for diffusers, ldm in ldm_names(widths).items()}
    weights["input_blocks.0.0.weight"] = unet["conv_in.weight"][:, list(HOST_ORDER)]
    return weights


def _layers(widths: Sequence[int], channels_in: int) -> Iterator[Layer]:
    first = widths[0]
    yield Layer("time_embedding.linear_1", "time_embed.0", _linear(first, 4 * first))
    yield Layer("time_embedding.linear_2", "time_embed.2", _linear(4 * first, 4 * first))
    yield Layer("conv_in", "input_blocks.0.0", _conv(channels_in, first))
    yield from _down(widths)
    yield from _resnet("mid_block.resnets.0", "middle_block.0", widths[3], widths[3], 4 * first)
    yield from _transformer("mid_block.attentions.0", "middle_block.1", widths[3])
    yield from _resnet("mid_block.resnets.1", "middle_block.2", widths[3], widths[3], 4 * first)
    yield from _up(widths)
    yield Layer("conv_norm_out", "out.0", _norm(first))
    yield Layer("conv_out", "out.2", _conv(first, 4))


def _down(widths: Sequence[int]) -> Iterator[Layer]:
    running = widths[0]
    for level, width in enumerate(widths):
        name = f"down_blocks.{level}"
        for i in range(2):
            ldm = f"input_blocks.{3 * level + i + 1}"
            yield from _resnet(f"{name}.resnets.{i}", f"{ldm}.0", running, width, 4 * widths[0])
            if level < 3:
                yield from _transformer(f"{name}.attentions.{i}", f"{ldm}.1", width)
            running = width
        if level < 3:
            yield Layer(f"{name}.downsamplers.0.conv", f"input_blocks.{3 * level + 3}.0.op", _conv(width, width))


def _up(widths: Sequence[int]) -> Iterator[Layer]:
    skips = _skips(widths)
    running = widths[3]
    for level, width in enumerate(reversed(widths)):
        name = f"up_blocks.{level}"
        for i in range(3):
            ldm = f"output_blocks.{3 * level + i}"
            yield from _resnet(f"{name}.resnets.{i}", f"{ldm}.0", running + skips.pop(), width, 4 * widths[0])
            if level > 0:
                yield from _transformer(f"{name}.attentions.{i}", f"{ldm}.1", width)
            running = width
        if level < 3:
            after = 2 if level > 0 else 1
            yield Layer(f"{name}.upsamplers.0.conv", f"output_blocks.{3 * level + 2}.{after}.conv", _conv(width, width))


def _skips(widths: Sequence[int]) -> list[int]:
    """Widths of the skip connections, in the order in which the down path makes them."""
    return [widths[0], *(w for level, w in enumerate(widths) for _ in range(3 if level < 3 else 2))]


def _resnet(diffusers: str, ldm: str, width_in: int, width: int, embedding: int) -> Iterator[Layer]:
    inside = {
        "norm1": _norm(width_in),
        "conv1": _conv(width_in, width),
        "time_emb_proj": _linear(embedding, width),
        "norm2": _norm(width),
        "conv2": _conv(width, width),
    }
    if width_in != width:
        inside["conv_shortcut"] = _conv(width_in, width, 1)
    for name, shapes in inside.items():
        yield Layer(f"{diffusers}.{name}", f"{ldm}.{_RESNET[name]}", shapes)


def _transformer(diffusers: str, ldm: str, width: int) -> Iterator[Layer]:
    inside = {"norm": _norm(width), "proj_in": _conv(width, width, 1), "proj_out": _conv(width, width, 1)}
    block = "transformer_blocks.0"
    for attention, width_in in (("attn1", width), ("attn2", CONTEXT)):
        inside[f"{block}.{attention}.to_q"] = {"weight": (width, width)}
        inside[f"{block}.{attention}.to_k"] = {"weight": (width, width_in)}
        inside[f"{block}.{attention}.to_v"] = {"weight": (width, width_in)}
        inside[f"{block}.{attention}.to_out.0"] = _linear(width, width)
    inside |= {f"{block}.norm{i}": _norm(width) for i in (1, 2, 3)}
    # The first layer gives values and gates together.
    inside[f"{block}.ff.net.0.proj"] = _linear(width, 8 * width)
    inside[f"{block}.ff.net.2"] = _linear(4 * width, width)
    for name, shapes in inside.items():
        yield Layer(f"{diffusers}.{name}", f"{ldm}.{name}", shapes)


def _conv(width_in: int, width: int, side: int = 3) -> Shapes:
    return {"weight": (width, width_in, side, side), "bias": (width,)}


def _linear(width_in: int, width: int) -> Shapes:
    return {"weight": (width, width_in), "bias": (width,)}


def _norm(width: int) -> Shapes:
    return {"weight": (width,), "bias": (width,)}
