"""The transformer blocks of a UNet by which references reach it, as the host labels them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import nn

# The layers that a user may choose -> the sides of the UNet in which they lie.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "all": ("input", "middle", "output"),
    "middle and up": ("middle", "output"),
    "up": ("output",),
}


class Layer(NamedTuple):
    """One transformer block: `side` and `number` of its UNet block, and its `position` among that block's."""

    side: str
    number: int
    position: int

    @property
    def name(self) -> str:
        """For example "output_3_0", also the key in a weight file."""
        return f"{self.side}_{self.number}_{self.position}"

    @property
    def block(self) -> tuple[str, int]:
        return self.side, self.number

    def place(self) -> tuple[int, int, int]:
        """Grows in the order of the forward pass."""
        return LAYERS["all"].index(self.side), self.number, self.position


def layer_of(options: Mapping[str, Any]) -> Layer:
    """The layer that a call with the host's `options` is in."""
    side, number = options["block"][:2]
    return Layer(side, int(number), int(options.get("block_index", 0)))


def transformer_layers(unet: nn.Module) -> dict[Layer, int]:
    """Layer -> width of its hidden states, in the order of the forward pass, for a UNet in LDM naming.

    Raises ValueError for a model that has none, and for one that makes videos.
    """
    layers = {layer: block.attn1.to_q.in_features for layer, block in transformers(unet)}
    if not layers:
        raise ValueError(
            f"model is a {type(unet).__name__}, which has no UNet with self-attention that could look at references; "
            "use an SD1.5, SD2 or SDXL checkpoint. Models with reference latents of their own (Flux Kontext, Flux.2, "
            "Qwen-Image-Edit) take the same people as reference latents"
        )
    if any(name.endswith("time_stack") for name, _ in unet.named_modules()):
        raise ValueError("model makes videos, whose frames share one attention; use an SD1.5, SD2 or SDXL checkpoint")
    return layers


def chosen_layers(unet: nn.Module, layers: str) -> frozenset[Layer]:
    """The layers in the sides that `layers`, one of LAYERS, names.

    Raises ValueError for another choice, and as `transformer_layers` does.
    """
    if layers not in LAYERS:
        raise ValueError(f"layers is '{layers}'; choose one of {', '.join(LAYERS)}")
    return frozenset(layer for layer in transformer_layers(unet) if layer.side in LAYERS[layers])


def transformers(unet: nn.Module) -> Iterator[tuple[Layer, Any]]:
    """Each layer with its transformer block, in the order of the forward pass."""
    for side, number, block in _blocks(unet):
        for module in block.children():
            for position, transformer in enumerate(getattr(module, "transformer_blocks", ())):
                # In some upscalers the first attention reads the text and not the picture.
                if hasattr(transformer, "attn1") and not getattr(transformer, "disable_self_attn", False):
                    yield Layer(side, number, position), transformer


def _blocks(unet: nn.Module) -> Iterator[tuple[str, int, nn.Module]]:
    for number, block in enumerate(getattr(unet, "input_blocks", ())):
        yield "input", number, block
    middle = getattr(unet, "middle_block", None)
    if middle is not None:
        yield "middle", 0, middle
    for number, block in enumerate(getattr(unet, "output_blocks", ())):
        yield "output", number, block
