"""Regional attention as replacements of a ComfyUI UNet's cross-attention, with no import of the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .regional_attention import RegionalAttention

# (queries, keys, values, the host's options) -> what cross-attention gives.
Replacement = Callable[..., Tensor]
Slot = tuple[Any, ...]


@dataclass(frozen=True)
class Layer:
    """One cross-attention.

    `side`, `number`: its block, as the host labels it. `index`: which one in that block, of `depth`. `channels`: width
    of queries, keys and values. `context`: width of text tokens.
    """

    side: str
    number: int
    index: int
    depth: int
    channels: int
    context: int

    @property
    def block(self) -> str:
        """Name of the block, as in `blocks.BLOCKS`."""
        return f"{self.side}_{self.number}"


def attention_layers(unet: nn.Module) -> tuple[Layer, ...]:
    """The cross-attention layers of a UNet in LDM naming, in diffusers' order: way down, way up, middle.

    Raises ValueError when the model has no such layers.
    """
    layers = tuple(layer for side, number, block in _blocks(unet) for layer in _layers_of(side, number, block))
    if not layers:
        raise ValueError(
            f"model is a {type(unet).__name__} without cross-attention layers that an IP-Adapter could steer; use an "
            "SD1.5 or SDXL checkpoint"
        )
    return layers


def slot_of(layer: Layer, replacements: Mapping[Slot, Any]) -> tuple[Slot, Any]:
    """The slot for the replacement of this layer, and what is in it already (None for nothing).

    `replacements`: those that the model has, by slot. The host looks for (side, number, index) first, then for (side,
    number). Blocks with one layer take the short form, which other packs use, unless the long one is taken and would
    hide it.
    """
    short, long = (layer.side, layer.number), (layer.side, layer.number, layer.index)
    slot = long if layer.depth > 1 or long in replacements else short
    return slot, replacements.get(long, replacements.get(short))


class RegionalReplacement:
    """What the host calls instead of one cross-attention: its output so far, with the references added.

    `layer`: the number of the cross-attention in the adapter. `factor`: this block's weight. `base`: what was called
    so far.
    """

    def __init__(self, regional: RegionalAttention, layer: int, factor: float, base: Replacement) -> None:
        self.regional, self._layer, self._factor, self._base = regional, layer, factor, base

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], **more: Any) -> Tensor:
        out = self._base(queries, keys, values, options, **more)
        return self.regional.add(out, queries, self._layer, self._factor, options)

    def __deepcopy__(self, memo: Any) -> RegionalReplacement:
        # Hosts before 0.14 copy patches deeply with every clone of a model; nothing in here ever belongs to a clone.
        return self

    def add(self, *_: Any, **__: Any) -> None:
        """IPAdapter-plus adds itself to whatever is in the slot. Raises ValueError that says what to do instead."""
        raise ValueError(
            f"{self.regional.owner}: an IPAdapter node comes after this node on the same model; put the IPAdapter node "
            "first and this node behind it, then both work together"
        )


def _blocks(unet: nn.Module) -> Iterator[tuple[str, int, nn.Module]]:
    for side in ("input", "output"):
        for number, block in enumerate(getattr(unet, f"{side}_blocks", ())):
            yield side, number, block
    middle = getattr(unet, "middle_block", None)
    if middle is not None:
        yield "middle", 0, middle


def _layers_of(side: str, number: int, block: nn.Module) -> Iterator[Layer]:
    for module in block.children():
        transformers = list(getattr(module, "transformer_blocks", ()))
        for index, transformer in enumerate(transformers):
            if getattr(transformer, "attn2", None) is not None:
                # Not the weights' own shapes: a host that manages memory dynamically may not have loaded them yet.
                project = transformer.attn2.to_k
                yield Layer(side, number, index, len(transformers), project.out_features, project.in_features)
