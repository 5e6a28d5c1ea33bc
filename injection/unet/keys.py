"""Names and shapes of an SD1.5 UNet's weights, worked out from its structure, in diffusers and in LDM (ComfyUI) naming.

Four levels of two ResNet blocks each, a transformer block after every ResNet block of the first three; the way up has
three of each. At SD1.5's widths these are 686 tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

WIDTHS = (320, 640, 1280, 1280)
CONTEXT = 768
CHANNELS_IN = 9

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

# FuseAnyPart concatenates latent (4), masked latent (4), mask (1); ComfyUI latent (4), mask (1), masked latent (4).
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
class Part:
    """One module of the UNet that has weights of its own: its two names, and the shape of every weight in it."""

    diffusers: str
    ldm: str
    shapes: Mapping[str, Shape]


def unet_shapes(widths: Sequence[int] = WIDTHS, channels_in: int = CHANNELS_IN) -> Shapes:
    """Diffusers name -> shape of every weight. `widths`: channels of the four levels."""
    return {f"{p.diffusers}.{name}": shape for p in _parts(widths, channels_in) for name, shape in p.shapes.items()}


def ldm_names(widths: Sequence[int] = WIDTHS) -> dict[str, str]:
    """Diffusers name -> LDM name of every weight."""
    return {f"{p.diffusers}.{name}": f"{p.ldm}.{name}" for p in _parts(widths, CHANNELS_IN) for name in p.shapes}


def host_unet(unet: Mapping[str, Tensor], widths: Sequence[int] = WIDTHS) -> dict[str, Tensor]:
    """The same weights in LDM names, the input channels in the order that ComfyUI concatenates them."""
    weights = {ldm: unet[diffusers] for diffusers, ldm in ldm_names(widths).items()}
    weights["input_blocks.0.0.weight"] = unet["conv_in.weight"][:, list(HOST_ORDER)]
    return weights


def _parts(widths: Sequence[int], channels_in: int) -> Iterator[Part]:
    first = widths[0]
    yield Part("time_embedding.linear_1", "time_embed.0", _linear(first, 4 * first))
    yield Part("time_embedding.linear_2", "time_embed.2", _linear(4 * first, 4 * first))
    yield Part("conv_in", "input_blocks.0.0", _conv(channels_in, first))
    yield from _down(widths)
    yield from _resnet("mid_block.resnets.0", "middle_block.0", widths[3], widths[3], 4 * first)
    yield from _transformer("mid_block.attentions.0", "middle_block.1", widths[3])
    yield from _resnet("mid_block.resnets.1", "middle_block.2", widths[3], widths[3], 4 * first)
    yield from _up(widths)
    yield Part("conv_norm_out", "out.0", _norm(first))
    yield Part("conv_out", "out.2", _conv(first, 4))


def _down(widths: Sequence[int]) -> Iterator[Part]:
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
            yield Part(f"{name}.downsamplers.0.conv", f"input_blocks.{3 * level + 3}.0.op", _conv(width, width))


def _up(widths: Sequence[int]) -> Iterator[Part]:
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
            yield Part(f"{name}.upsamplers.0.conv", f"output_blocks.{3 * level + 2}.{after}.conv", _conv(width, width))


def _skips(widths: Sequence[int]) -> list[int]:
    """Widths of what the way down hands across, in the order in which it was made."""
    return [widths[0], *(w for level, w in enumerate(widths) for _ in range(3 if level < 3 else 2))]


def _resnet(diffusers: str, ldm: str, width_in: int, width: int, embedding: int) -> Iterator[Part]:
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
        yield Part(f"{diffusers}.{name}", f"{ldm}.{_RESNET[name]}", shapes)


def _transformer(diffusers: str, ldm: str, width: int) -> Iterator[Part]:
    inside = {"norm": _norm(width), "proj_in": _conv(width, width, 1), "proj_out": _conv(width, width, 1)}
    block = "transformer_blocks.0"
    for attention, width_in in (("attn1", width), ("attn2", CONTEXT)):
        inside[f"{block}.{attention}.to_q"] = {"weight": (width, width)}
        inside[f"{block}.{attention}.to_k"] = {"weight": (width, width_in)}
        inside[f"{block}.{attention}.to_v"] = {"weight": (width, width_in)}
        inside[f"{block}.{attention}.to_out.0"] = _linear(width, width)
    inside |= {f"{block}.norm{i}": _norm(width) for i in (1, 2, 3)}
    # The first layer makes values and gates at once.
    inside[f"{block}.ff.net.0.proj"] = _linear(width, 8 * width)
    inside[f"{block}.ff.net.2"] = _linear(4 * width, width)
    for name, shapes in inside.items():
        yield Part(f"{diffusers}.{name}", f"{ldm}.{name}", shapes)


def _conv(width_in: int, width: int, side: int = 3) -> Shapes:
    return {"weight": (width, width_in, side, side), "bias": (width,)}


def _linear(width_in: int, width: int) -> Shapes:
    return {"weight": (width, width_in), "bias": (width,)}


def _norm(width: int) -> Shapes:
    return {"weight": (width,), "bias": (width,)}
