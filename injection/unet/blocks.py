"""The 16 places of an SD1.5 UNet where FuseAnyPart adds features, by every name that they go by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One transformer block and the ResNet block before it.

    `name`: our own, also the key in modules. `host`: ComfyUI's label, without the transformer index. `attention` and
    `resnet`: module names in LDM (ComfyUI) and in diffusers naming; the transformer block is `transformer_blocks.0`
    below the attention.
    """

    name: str
    host: tuple[str, int]
    attention: str
    resnet: str
    diffusers_attention: str
    diffusers_resnet: str


def _block(side: str, number: int, diffusers: str, index: int) -> Block:
    ldm = "middle_block" if side == "middle" else f"{side}_blocks.{number}"
    attention, resnet = (f"{ldm}.1", f"{ldm}.0")
    host = 0 if side == "middle" else number
    name = f"{side}_{host}"
    return Block(
        name, (side, host), attention, resnet, f"{diffusers}.attentions.{index}", f"{diffusers}.resnets.{index}"
    )


BLOCKS: tuple[Block, ...] = (
    *(_block("input", 3 * level + i + 1, f"down_blocks.{level}", i) for level in range(3) for i in range(2)),
    _block("middle", 1, "mid_block", 0),
    *(_block("output", 3 * level + i, f"up_blocks.{level}", i) for level in range(1, 4) for i in range(3)),
)
