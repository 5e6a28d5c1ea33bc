"""Published IP-Adapter weights as a module: encoder tokens of a picture -> keys and values for cross-attention.

Source: IP-Adapter (arXiv 2308.06721), equation 5 for the added attention, and the files of h94/IP-Adapter:
`ip-adapter-plus_sd15`, `ip-adapter-plus-face_sd15`, `ip-adapter-full-face_sd15`, `ip-adapter-plus_sdxl_vit-h` and
`ip-adapter-plus-face_sdxl_vit-h`. A "plus" and a "plus-face" file differ in their numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..unet.projections import FeatureProjection, Resampler

PLUS, FULL_FACE = "plus", "full face"
HEAD_WIDTH = 64
# Width of the text tokens -> family and number of its cross-attention layers.
FAMILY_OF_WIDTH: Mapping[int, tuple[str, int]] = {768: ("sd15", 16), 2048: ("sdxl", 70)}
NAMES: Mapping[str, str] = {"sd15": "SD1.5", "sdxl": "SDXL"}
USABLE = (
    "usable are ip-adapter-plus_sd15, ip-adapter-plus-face_sd15, ip-adapter-full-face_sd15, ip-adapter-plus_sdxl_vit-h "
    "and ip-adapter-plus-face_sdxl_vit-h (huggingface.co/h94/IP-Adapter)"
)


@dataclass(frozen=True)
class Layout:
    """The sizes of one file. `width`: the encoder's. `context`: of a text token. `channels`: of each layer in order.

    `resampler`: width, depth, heads, queries and growth of a "plus" file's perceiver; None for "full face".
    """

    family: str
    variant: str
    width: int
    context: int
    channels: tuple[int, ...]
    resampler: tuple[int, int, int, int, int] | None


class KeysValues(nn.Module):
    """One layer's projections of image tokens (B, n, context) to keys and values (B, n, channels)."""

    def __init__(self, context: int, channels: int, *, ops: Any = nn, **place: Any) -> None:
        super().__init__()
        self.to_k_ip = ops.Linear(context, channels, bias=False, **place)
        self.to_v_ip = ops.Linear(context, channels, bias=False, **place)


class IPAdapter(nn.Module):
    """`image_tokens` once per picture, then `keys_values` once per layer; state dict keys are those of the files.

    SD1.5 plus: 49,087,488 parameters, 196 MB in fp32, 98 MB in fp16 (16 image tokens per picture). SD1.5 full face:
    21,794,304, 87 and 44 MB (257 tokens). SDXL plus: 423,748,864, 1695 and 847 MB (16 tokens).
    """

    def __init__(self, layout: Layout, *, ops: Any = nn, **place: Any) -> None:
        super().__init__()
        self.layout = layout
        if layout.resampler is None:
            self.image_proj: nn.Module = FeatureProjection(layout.width, layout.context, ops=ops, **place)
        else:
            width, depth, heads, queries, growth = layout.resampler
            self.image_proj = Resampler(
                width, depth, heads, HEAD_WIDTH, queries, layout.width, layout.context, growth, ops=ops, **place
            )
        # The files number attention layers as diffusers lists them, self-attention and cross-attention in turn.
        self.ip_adapter = nn.ModuleDict(
            {str(2 * i + 1): KeysValues(layout.context, c, ops=ops, **place) for i, c in enumerate(layout.channels)}
        )

    def image_tokens(self, tokens: Tensor) -> Tensor:
        """Encoder tokens with the class token (B, n, width) -> (B, 16 for plus, n for full face, context)."""
        return self.image_proj(tokens)

    def keys_values(self, layer: int, image_tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n, context) -> keys and values (B, n, channels) of one cross-attention, counted from 0 as in the file."""
        both: Any = self.ip_adapter[str(2 * layer + 1)]
        return both.to_k_ip(image_tokens), both.to_v_ip(image_tokens)


def flatten(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """A .bin file's nested dicts {"image_proj": ..., "ip_adapter": ...} -> the flat keys of a .safetensors file."""
    flat: dict[str, Tensor] = {}
    for key, value in weights.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{inner}": tensor for inner, tensor in flatten(value).items()})
        else:
            flat[key] = value
    return flat


def recognise(weights: Mapping[str, Tensor]) -> Layout:
    """The layout of a flat state dict, every key and shape checked.

    Raises ValueError for anything that is no IP-Adapter of a usable kind, saying what it is, and for a damaged file.
    """
    _refuse_other_kinds(weights)
    layout = _sizes(weights)
    needed = {key: tuple(t.shape) for key, t in IPAdapter(layout, device="meta").state_dict().items()}
    came = {key: tuple(t.shape) for key, t in weights.items()}
    wrong = sorted(key for key in needed.keys() | came.keys() if needed.get(key) != came.get(key))
    if wrong:
        key = wrong[0]
        raise ValueError(
            f"this {NAMES[layout.family]} IP-Adapter file ({layout.variant}) is damaged or of an unknown kind: "
            f"{len(wrong)} of its entries do not fit, first '{key}': came {came.get(key, 'nothing')}, needed "
            f"{needed.get(key, 'nothing')}; {USABLE}"
        )
    return layout


def check_model(layout: Layout, channels: Sequence[int], context: int) -> None:
    """Whether a model whose cross-attention layers have these `channels` and this text width takes such an adapter.

    Raises ValueError naming both families when it does not.
    """
    if (layout.context, layout.channels) != (context, tuple(channels)):
        family = FAMILY_OF_WIDTH.get(context, ("", 0))
        name = f"an {NAMES[family[0]]} model" if len(channels) == family[1] else "a model of another family"
        raise ValueError(
            f"controller is an IP-Adapter for {NAMES[layout.family]} ({len(layout.channels)} cross-attention layers, "
            f"text width {layout.context}, layer widths {_span(layout.channels)}), but model is {name} "
            f"({len(channels)} layers, text width {context}, layer widths {_span(channels)}); load the controller or "
            "the checkpoint of the other family"
        )


def check_encoder(layout: Layout, width: int, encoder: str) -> None:
    """Raises ValueError when tokens of this `width` are not what the adapter was trained with."""
    if width != layout.width:
        raise ValueError(
            f"the representation was encoded by {encoder or 'an encoder'} with tokens {width} wide, and this "
            f"IP-Adapter takes {layout.width}; load the CLIP vision model that belongs to it (CLIP ViT-H/14, the "
            "image encoder of h94/IP-Adapter models/image_encoder)"
        )


def _span(channels: Sequence[int]) -> str:
    return f"{min(channels)} to {max(channels)}" if channels else "none"


def _refuse_other_kinds(weights: Mapping[str, Tensor]) -> None:
    what = _other_kind(weights)
    if what:
        raise ValueError(f"this file {what}; {USABLE}")


def _other_kind(weights: Mapping[str, Tensor]) -> str:
    """What the file is when it is no usable IP-Adapter, else an empty string."""
    if not any(key.startswith("ip_adapter.") and key.endswith(".to_k_ip.weight") for key in weights):
        if any("lora_" in key or key.endswith(".alpha") for key in weights):
            return "is a LoRA: load it with Load LoRA"
        return "is no IP-Adapter for SD1.5 or SDXL (it has no ip_adapter.*.to_k_ip weights)"
    if any("lora" in key for key in weights) or "image_proj.perceiver_resampler.proj_in.weight" in weights:
        return "is an IP-Adapter FaceID, which takes InsightFace's embedding of a whole face and not its parts"
    first = weights.get("image_proj.proj_in.weight", weights.get("image_proj.proj.0.weight"))
    if first is not None and first.shape[1] == 512:
        return "takes InsightFace's embedding (FaceID or InstantID), which describes a whole face and not its parts"
    if first is not None and first.shape[1] != 1280 and "image_proj.latents" in weights:
        return (
            f"was trained with an encoder {first.shape[1]} wide (Kolors has 1024, CLIP ViT-L), not with CLIP ViT-H/14 "
            "(1280)"
        )
    if "image_proj.proj.weight" in weights:
        return "is a plain IP-Adapter, which takes one embedding of the whole picture; parts need a 'plus' file"
    if first is None:
        return "is an IP-Adapter with an image projection that is not known (neither 'plus' nor 'full-face')"
    return ""


def _sizes(weights: Mapping[str, Tensor]) -> Layout:
    numbers = sorted(int(key.split(".")[1]) for key in weights if key.endswith(".to_k_ip.weight"))
    keys = [weights[f"ip_adapter.{number}.to_k_ip.weight"] for number in numbers]
    context = int(keys[0].shape[1])
    family, layers = FAMILY_OF_WIDTH.get(context, ("", 0))
    if not family or numbers != [2 * i + 1 for i in range(layers)]:
        raise ValueError(
            f"this IP-Adapter has {len(keys)} layers for text tokens {context} wide; SD1.5 has 16 for 768 and SDXL 70 "
            f"for 2048, others are not supported; {USABLE}"
        )
    channels = tuple(int(k.shape[0]) for k in keys)
    if "image_proj.latents" not in weights:
        return Layout(family, FULL_FACE, int(weights["image_proj.proj.0.weight"].shape[1]), context, channels, None)
    _, queries, inner = weights["image_proj.latents"].shape
    depth = len({key.split(".")[2] for key in weights if key.startswith("image_proj.layers.")})
    heads = _rows(weights, "image_proj.layers.0.0.to_q.weight") // HEAD_WIDTH
    growth = _rows(weights, "image_proj.layers.0.1.1.weight") // int(inner)
    width = int(weights["image_proj.proj_in.weight"].shape[1])
    return Layout(family, PLUS, width, context, channels, (int(inner), depth, heads, int(queries), growth))


def _rows(weights: Mapping[str, Tensor], key: str) -> int:
    if key not in weights:
        raise ValueError(f"this IP-Adapter file is damaged: '{key}' is missing; {USABLE}")
    return int(weights[key].shape[0])
