"""FaceX's representation controller: one more cross-attention after the existing one in every transformer block.

v = v + ZeroLinear(CrossAttention(norm(v), f_SD)), arXiv 2401.00551, section 3.4, equation 3. Only this trains; the
UNet stays as it is, so a controller also works on models that were fine-tuned from its base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ..unet.blocks import BLOCKS
from ..unet.fit import AttentionSize


@dataclass(frozen=True)
class Family:
    """A UNet family with the 16 blocks of `blocks.BLOCKS`.

    `context`: width of its text tokens. `heads`: how many each attention has; where that is 0, `head_width`: channels
    of each head.
    """

    context: int
    heads: int = 0
    head_width: int = 0

    def heads_of(self, channels: int) -> int:
        return self.heads or channels // self.head_width


FAMILIES: Mapping[str, Family] = {"sd15": Family(768, heads=8), "sd2": Family(1024, head_width=64)}

# Width of each of the 16 blocks, in widths of the first level.
_LEVELS = (1, 1, 2, 2, 4, 4, 4, 4, 4, 4, 2, 2, 2, 1, 1, 1)


def block_channels(width: int = 320) -> dict[str, int]:
    """Block name -> its width, for a UNet whose first level is `width` wide (320 for SD1.5 and SD2.x)."""
    return {block.name: width * level for block, level in zip(BLOCKS, _LEVELS, strict=True)}


class ExtraCrossAttention(nn.Module):
    """What is added to the hidden states of one block, `channels` wide. 3 C^2 + 2 C `context` + 4 C parameters.

    Queries, keys and values without bias, output with bias, as the UNet's own cross-attention; then `zero`, which is
    all zeros in a new controller, so that it adds exactly nothing. `ops`: where the layers come from, torch or the
    host. `factory`: device and dtype of the parameters.
    """

    def __init__(self, channels: int, context: int, heads: int, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ops.LayerNorm(channels, **factory)
        self.to_q = ops.Linear(channels, channels, bias=False, **factory)
        self.to_k = ops.Linear(context, channels, bias=False, **factory)
        self.to_v = ops.Linear(context, channels, bias=False, **factory)
        self.to_out = ops.Linear(channels, channels, **factory)
        self.zero = ops.Linear(channels, channels, **factory)

    def project(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """f_SD (B, t, context) -> keys and values, each (B, heads, t, C / heads)."""
        return self._split(self.to_k(tokens)), self._split(self.to_v(tokens))

    def forward(self, v: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """v (B, n, C), the hidden states after the existing cross-attention -> (B, n, C), to be added to them."""
        attended = functional.scaled_dot_product_attention(self._split(self.to_q(self.norm(v))), keys, values)
        return self.zero(self.to_out(attended.transpose(1, 2).flatten(2)))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class RepresentationControl(nn.Module):
    """FRC: an `ExtraCrossAttention` for every block. `channels`: block name (`blocks.BLOCKS`) -> its width.

    Parameters at full size: 56,390,400 for "sd15" (226 MB in fp32, 113 MB in fp16), 62,780,160 for "sd2" (251 and
    126 MB). Raises ValueError for an unknown family or block, and a width that the heads do not divide.
    """

    def __init__(self, family: str, channels: Mapping[str, int], *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        known, names = family_of(family), [block.name for block in BLOCKS]
        for name, width in channels.items():
            if name not in names:
                raise ValueError(f"the controller has a block '{name}', which no UNet has: {', '.join(names)}")
            heads = known.heads_of(width)
            if heads < 1 or width % heads or (known.head_width and width % known.head_width):
                unit = known.heads or known.head_width
                raise ValueError(f"block {name} is {width} wide; the family '{family}' needs a multiple of {unit}")
        self.block_sizes = {name: AttentionSize(width, known.context) for name, width in channels.items()}
        self.blocks = nn.ModuleDict(
            {
                name: ExtraCrossAttention(width, known.context, known.heads_of(width), ops=ops, **factory)
                for name, width in channels.items()
            }
        )


def family_of(name: str) -> Family:
    """Raises ValueError when there is no such family."""
    if name not in FAMILIES:
        raise ValueError(f"'{name}' is not a FaceX model family; known are {', '.join(FAMILIES)}")
    return FAMILIES[name]
