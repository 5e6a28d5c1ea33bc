"""Published IP-Adapter weights as a module: encoder tokens of a picture -> keys and values for cross-attention.

Source: IP-Adapter (arXiv 2308.06721), equation 5 for the added attention, and the files of h94/IP-Adapter:
`ip-adapter-plus_sd15`, `ip-adapter-plus-face_sd15`, `ip-adapter-full-face_sd15`, `ip-adapter-plus_sdxl_vit-h` and
`ip-adapter-plus-face_sdxl_vit-h`. A "plus" and a "plus-face" file differ in their numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..files.weight_check import check_weights, module_shapes, size_of
from ..unet.fit import AttentionSize, check_fit
from ..unet.projections import FeatureProjection, Resampler

# First words of a file's keys, for `flat_state`: nested tables in a .bin file, prefixes in a .safetensors file.
GROUPS = ("image_proj", "ip_adapter")
PLUS, FULL_FACE = "plus", "full face"
# Width of an attention head in the "plus" files.
HEAD_WIDTH = 64
# Width of the text tokens -> family and number of its cross-attention layers.
FAMILY_OF_WIDTH: Mapping[int, tuple[str, int]] = {768: ("sd15", 16), 2048: ("sdxl", 70)}
NAMES: Mapping[str, str] = {"sd15": "SD1.5", "sdxl": "SDXL"}
# Width of CLIP ViT-H/14's tokens.
_ENCODER_WIDTH = 1280
# Variant -> the first weight of its image projection, whose second dimension is the encoder's width.
_FIRST: Mapping[str, str] = {PLUS: "image_proj.proj_in.weight", FULL_FACE: "image_proj.proj.0.weight"}
USABLE = (
    "usable are ip-adapter-plus_sd15, ip-adapter-plus-face_sd15, ip-adapter-full-face_sd15, ip-adapter-plus_sdxl_vit-h "
    "and ip-adapter-plus-face_sdxl_vit-h (huggingface.co/h94/IP-Adapter)"
)


@dataclass(frozen=True)
class Layout:
    """The sizes of one file.

    family: "sd15" or "sdxl".
    variant: "plus" or "full face".
    width: of the encoder's tokens.
    context: width of a text token.
    channels: width of each cross-attention layer, in order.
    resampler: width, depth, heads, queries and growth of a "plus" file's perceiver; None for "full face".
    """

    family: str
    variant: str
    width: int
    context: int
    channels: tuple[int, ...]
    resampler: tuple[int, int, int, int, int] | None


class KeysValues(nn.Module):
    """One layer's projections of image tokens (B, n, context) to keys and values (B, n, channels)."""

    def __init__(self, context: int, channels: int, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.to_k_ip = ops.Linear(context, channels, bias=False, **factory)
        self.to_v_ip = ops.Linear(context, channels, bias=False, **factory)


class IPAdapter(nn.Module):
    """`image_tokens` once per picture, then `keys_values` once per layer; state dict keys are those of the files.

    SD1.5 plus: 49,087,488 parameters, 196 MB in fp32, 98 MB in fp16 (16 image tokens per picture). SD1.5 full face:
    21,794,304, 87 and 44 MB (257 tokens). SDXL plus: 423,748,864, 1695 and 847 MB (16 tokens).
    """

    def __init__(self, layout: Layout, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.layout = layout
        if layout.resampler is None:
            self.image_proj: nn.Module = FeatureProjection(layout.width, layout.context, ops=ops, **factory)
        else:
            width, depth, heads, queries, growth = layout.resampler
            self.image_proj = Resampler(
                width, depth, heads, HEAD_WIDTH, queries, layout.width, layout.context, growth, ops=ops, **factory
            )
        # The files number attention layers as diffusers lists them, self-attention and cross-attention in turn.
        self.ip_adapter = nn.ModuleDict(
            {str(2 * i + 1): KeysValues(layout.context, c, ops=ops, **factory) for i, c in enumerate(layout.channels)}
        )

    def image_tokens(self, tokens: Tensor) -> Tensor:
        """Encoder tokens with the class token (B, n, width) -> (B, 16 for plus, n for full face, context)."""
        return self.image_proj(tokens)

    def keys_values(self, layer: int, image_tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n, context) -> keys and values (B, n, channels) of one cross-attention, counted from 0 as in the file."""
        both: Any = self.ip_adapter[str(2 * layer + 1)]
        return both.to_k_ip(image_tokens), both.to_v_ip(image_tokens)


def recognise(weights: Mapping[str, Any], source: str | Path = "this file") -> Layout:
    """The layout of a flat state dict, after every key, shape and value was checked.

    source: the file, for messages. Raises ValueError for anything but an IP-Adapter of a usable kind, saying what it
    is, and for a damaged file.
    """
    other_kind = _other_kind(weights)
    if other_kind:
        raise ValueError(f"{source} {other_kind}; {USABLE}")
    layout = _sizes(weights, source)
    check_weights(
        weights, module_shapes(lambda: IPAdapter(layout)), source=source, advice=USABLE,
        name=f"an IP-Adapter for {NAMES[layout.family]} ({layout.variant})",
    )  # fmt: skip
    return layout


def check_model(layout: Layout, channels: Sequence[int], context: int) -> None:
    """Raises ValueError when an adapter does not fit a model, naming both families.

    channels: widths of the model's cross-attention layers, in order. context: width of its text tokens.
    """
    needed, sizes = (
        {f"layer {i}": AttentionSize(width, text) for i, width in enumerate(widths, 1)}
        for widths, text in ((layout.channels, layout.context), (channels, context))
    )
    check_fit(
        needed, sizes, adapter=f"controller is an IP-Adapter for {NAMES[layout.family]}", unet="model", exact=True,
        advice="load the controller or the checkpoint of the other family",
    )  # fmt: skip


def check_encoder(layout: Layout, width: int, encoder: str) -> None:
    """Raises ValueError when tokens of this `width` are not what the adapter was trained with."""
    if width != layout.width:
        raise ValueError(
            f"the representation was encoded by {encoder or 'an encoder'} with tokens {width} wide, and this "
            f"IP-Adapter takes {layout.width}; load the CLIP vision model that belongs to it (CLIP ViT-H/14, the "
            "image encoder of h94/IP-Adapter models/image_encoder)"
        )


def _other_kind(weights: Mapping[str, Any]) -> str:
    """What the file is when it is not a usable IP-Adapter, else an empty string."""
    if not any(key.startswith("ip_adapter.") and key.endswith(".to_k_ip.weight") for key in weights):
        if any("lora_" in key or key.endswith(".alpha") for key in weights):
            return "is a LoRA: load it with Load LoRA"
        return "is not an IP-Adapter for SD1.5 or SDXL (it has no ip_adapter.*.to_k_ip weights)"
    if any("lora" in key for key in weights) or "image_proj.perceiver_resampler.proj_in.weight" in weights:
        return "is an IP-Adapter FaceID, which takes InsightFace's embedding of a whole face and not its parts"
    first = next((key for key in _FIRST.values() if key in weights), "")
    width = size_of(weights, first, 1, _ENCODER_WIDTH)
    if width == 512:
        return "takes InsightFace's embedding (FaceID or InstantID), which describes a whole face and not its parts"
    if width != _ENCODER_WIDTH and "image_proj.latents" in weights:
        return (
            f"was trained with an encoder {width} wide (Kolors has 1024, CLIP ViT-L), not with CLIP ViT-H/14 "
            f"({_ENCODER_WIDTH})"
        )
    if "image_proj.proj.weight" in weights:
        return "is a plain IP-Adapter, which takes one embedding of the whole picture; parts need a 'plus' file"
    if not first:
        return "is an IP-Adapter with an image projection that is not known (neither 'plus' nor 'full-face')"
    return ""


def _sizes(weights: Mapping[str, Any], source: str | Path) -> Layout:
    keys = [key for key in weights if key.startswith("ip_adapter.") and key.endswith(".to_k_ip.weight")]
    context = size_of(weights, keys[0], 1, 0)
    family, layers = FAMILY_OF_WIDTH.get(context, ("", 0))
    numbered = [f"ip_adapter.{2 * i + 1}.to_k_ip.weight" for i in range(layers)]
    if not family or set(keys) != set(numbered):
        raise ValueError(
            f"{source} has {len(keys)} layers for text tokens {context} wide; SD1.5 has 16 for 768 and SDXL 70 for "
            f"2048, others are not supported; {USABLE}"
        )
    channels = tuple(size_of(weights, key, 0, 0) for key in numbered)
    variant = PLUS if "image_proj.latents" in weights else FULL_FACE
    width = size_of(weights, _FIRST[variant], 1, _ENCODER_WIDTH)
    return Layout(family, variant, width, context, channels, _resampler(weights) if variant == PLUS else None)


def _resampler(weights: Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    """Where a weight is missing, a size that lets the check name just that one."""
    queries, inner = (size_of(weights, "image_proj.latents", dimension, HEAD_WIDTH) for dimension in (1, 2))
    depth = len({key.split(".")[2] for key in weights if key.startswith("image_proj.layers.")})
    heads = size_of(weights, "image_proj.layers.0.0.to_q.weight", 0, inner) // HEAD_WIDTH
    growth = size_of(weights, "image_proj.layers.0.1.1.weight", 0, 4 * inner) // max(inner, 1)
    return inner, depth, heads, queries, growth
