"""The 16 transformer blocks of an SD1.5 UNet, by every name that they have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One transformer block and the ResNet block before it.

    name: ours, also the key in modules.
    host: ComfyUI's label, side and number, without the transformer index.
    attention, resnet: module names in LDM (ComfyUI) naming; the transformer block is `transformer_blocks.0` below the
        attention.
    diffusers_attention, diffusers_resnet: the same in diffusers naming.
    """

    name: str
    host: tuple[str, int]
    attention: str
    resnet: str
    diffusers_attention: str
    diffusers_resnet: str

    @property
    def cross_attention(self) -> str:
        """Its module name in LDM (ComfyUI) naming."""
        return f"{self.attention}.transformer_blocks.0.attn2"

    @property
    def diffusers_cross_attention(self) -> str:
        """Its module name in diffusers naming."""
        return f"{self.diffusers_attention}.transformer_blocks.0.attn2"


def _block(side: str, number: int, diffusers: str, index: int) -> Block:
    ldm = "middle_block" if side == "middle" else f"{side}_blocks.{number}"
    host = (side, 0 if side == "middle" else number)
    return Block(
        name=f"{side}_{host[1]}", host=host, attention=f"{ldm}.1", resnet=f"{ldm}.0",
        diffusers_attention=f"{diffusers}.attentions.{index}", diffusers_resnet=f"{diffusers}.resnets.{index}",
    )  # fmt: skip


BLOCKS: tuple[Block, ...] = (
    *(_block("input", 3 * level + i + 1, f"down_blocks.{level}", i) for level in range(3) for i in range(2)),
    _block("middle", 1, "mid_block", 0),
    *(_block("output", 3 * level + i, f"up_blocks.{level}", i) for level in range(1, 4) for i in range(3)),
)
