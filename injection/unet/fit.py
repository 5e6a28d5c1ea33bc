"""The check of every adapter against a UNet: the cross-attentions that it was made for, and those of the UNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .blocks import BLOCKS
from .keys import CONTEXT

# Width of the text tokens that a UNet reads -> its family.
TEXT_FAMILIES: Mapping[int, str] = {CONTEXT: "SD1.5", 1024: "SD2", 2048: "SDXL"}


class AttentionSize(NamedTuple):
    """One attention layer: `width` of the hidden states that it changes, `context` of the tokens that it reads."""

    width: int
    context: int


def unet_sizes(unet: Any, *, diffusers: bool = False) -> dict[str, AttentionSize]:
    """Block name -> size of its cross-attention, for those of `BLOCKS` that the UNet has.

    unet: a module in LDM (ComfyUI) naming, or in that of `diffusers`; of any other kind, it has none of the blocks.
    """
    sizes = {}
    for block in BLOCKS:
        path = block.diffusers_cross_attention if diffusers else block.cross_attention
        try:
            attention = unet.get_submodule(path)
            # Not the weights' shapes: a host that manages memory dynamically may not have loaded them yet.
            sizes[block.name] = AttentionSize(attention.to_q.in_features, attention.to_k.in_features)
        except AttributeError:
            continue  # `check_fit` reports a missing block, if the adapter needs it
    return sizes


def check_fit(
    needed: Mapping[str, AttentionSize], sizes: Mapping[str, AttentionSize], *, adapter: str, unet: str, advice: str,
    exact: bool = False,
) -> None:  # fmt: skip
    """Raises ValueError when a UNet lacks an attention that an adapter was made for, or has it in another size.

    needed, sizes: name of a block or layer -> size of its attention, for the adapter and in the UNet.
    adapter: a clause that says what came, such as "controller is an IP-Adapter for SDXL".
    unet: the input that the UNet came from, such as "model".
    advice: what to do, an imperative such as "load the checkpoint of the other family".
    exact: whether the UNet must have these attentions and no others.
    """
    for name in {**needed, **(sizes if exact else {})}:
        if needed.get(name) != sizes.get(name):
            raise ValueError(
                f"{adapter}, which needs {_counted(needed)}, and {unet} has {_counted(sizes)}: at {name} needed is "
                f"{_shown(needed.get(name))}, {unet} has {_shown(sizes.get(name))}; {advice}"
            )


def _counted(sizes: Mapping[str, AttentionSize]) -> str:
    """For example "16 cross-attentions, 320 to 1280 wide, that read text 768 wide (SD1.5)"."""
    if not sizes:
        return "no such cross-attention"
    widths, contexts = (sorted(set(values)) for values in zip(*sizes.values(), strict=True))
    wide = f"{widths[0]} to {widths[-1]}" if len(widths) > 1 else f"{widths[0]}"
    text = " or ".join(f"{c} wide ({TEXT_FAMILIES.get(c, 'another family')})" for c in contexts)
    return f"{len(sizes)} cross-attentions, {wide} wide, that read text {text}"


def _shown(size: AttentionSize | None) -> str:
    return "none" if size is None else f"width {size.width} and text {size.context}"
