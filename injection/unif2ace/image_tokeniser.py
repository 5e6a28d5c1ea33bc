"""Pictures <-> discrete tokens: the MAGVIT-v2 tokeniser of Show-o, with the weight names of its published file.

Papers: MAGVIT-v2, arXiv 2310.05737 (a code is the signs of its channels, with no table of codes); Show-o, 2408.12528.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-6


@dataclass(frozen=True)
class TokeniserShape:
    """`width`: channels of the finest stage; `down`, `up`: factors on it, and `down_blocks`, `up_blocks` the blocks, of
    each stage of encoder and decoder, the finest first. `bits`: channels of a code."""

    width: int = 128
    down: tuple[int, ...] = (1, 2, 2, 4, 4)
    down_blocks: tuple[int, ...] = (4, 3, 4, 3, 4)
    up: tuple[int, ...] = (1, 1, 2, 2, 4)
    up_blocks: tuple[int, ...] = (4, 4, 3, 4, 3)
    bits: int = 13
    groups: int = 32

    @property
    def codes(self) -> int:
        return 2**self.bits

    @property
    def factor(self) -> int:
        """Pixels for one token, along each side."""
        return 2 ** (len(self.down) - 1)


class ImageTokeniser(nn.Module):
    """Pictures (B, 3, H, W) in -1..1 <-> codes (B, h, w), whole numbers from 0."""

    def __init__(self, shape: TokeniserShape, ops: Any = nn) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder = _Encoder(shape, ops), _Decoder(shape, ops)

    def encode(self, pictures: Tensor) -> Tensor:
        """(B, h, w). Each side of `pictures` is a multiple of the factor."""
        return codes_of(self.encoder(pictures))

    def decode(self, codes: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """(B, 3, H, W), about -1..1. `codes`: (B, h, w)."""
        return self.decoder(signs_of(codes, self.shape.bits).to(dtype))


def codes_of(cells: Tensor) -> Tensor:
    """(B, h, w): the codes of `cells` (B, bits, h, w), the first channel the highest bit, set where it is above 0."""
    return ((cells > 0).long() * _powers(cells.shape[1], cells)).sum(1)


def signs_of(codes: Tensor, bits: int) -> Tensor:
    """(B, bits, h, w) float32, -1 or 1. `codes`: (B, h, w)."""
    return ((codes[:, None] & _powers(bits, codes)) > 0).float() * 2 - 1


def _powers(bits: int, like: Tensor) -> Tensor:
    return 2 ** torch.arange(bits - 1, -1, -1, device=like.device)[:, None, None]


class _Encoder(nn.Module):
    def __init__(self, shape: TokeniserShape, ops: Any) -> None:
        super().__init__()
        width, into, last = shape.width, shape.width, shape.width * shape.down[-1]
        self.conv_in = ops.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList()
        for i, (factor, blocks) in enumerate(zip(shape.down, shape.down_blocks, strict=True)):
            stage = _Stage(into, width * factor, blocks, shape.groups, ops)
            if i < len(shape.down) - 1:
                stage.downsample = _Conv(width * factor, 2, ops)
            self.down.append(stage)
            into = width * factor
        self.mid = _Middle(last, shape.groups, ops)
        self.norm_out = ops.GroupNorm(shape.groups, last, eps=_EPS)
        self.conv_out = ops.Conv2d(last, shape.bits, 3, padding=1)
        self.quant_conv = ops.Conv2d(shape.bits, shape.bits, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for stage in _stages(self.down):
            x = stage(x)
            if stage.downsample is not None:
                x = stage.downsample.conv(functional.pad(x, (0, 1, 0, 1)))
        return self.quant_conv(self.conv_out(functional.silu(self.norm_out(self.mid(x)))))


class _Decoder(nn.Module):
    def __init__(self, shape: TokeniserShape, ops: Any) -> None:
        super().__init__()
        into = shape.width * shape.up[-1]
        self.post_quant_conv = ops.Conv2d(shape.bits, shape.bits, 1)
        self.conv_in = ops.Conv2d(shape.bits, into, 3, padding=1)
        self.mid = _Middle(into, shape.groups, ops)
        stages: list[_Stage] = []
        for i in reversed(range(len(shape.up))):
            stage = _Stage(into, shape.width * shape.up[i], shape.up_blocks[i], shape.groups, ops)
            into = shape.width * shape.up[i]
            if i:
                stage.upsample = _Conv(into, 1, ops)
            stages.insert(0, stage)
        self.up = nn.ModuleList(stages)
        self.norm_out = ops.GroupNorm(shape.groups, into, eps=_EPS)
        self.conv_out = ops.Conv2d(into, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid(self.conv_in(self.post_quant_conv(x)))
        for stage in reversed(_stages(self.up)):
            x = stage(x)
            if stage.upsample is not None:
                x = stage.upsample.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(functional.silu(self.norm_out(x)))


class _Stage(nn.Module):
    """The blocks of one resolution, and the convolution behind which the grid changes, if it does."""

    def __init__(self, into: int, out: int, blocks: int, groups: int, ops: Any) -> None:
        super().__init__()
        self.block = nn.ModuleList(_Resnet(into if i == 0 else out, out, groups, ops) for i in range(blocks))
        self.downsample: _Conv | None = None
        self.upsample: _Conv | None = None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        return x


def _stages(blocks: nn.ModuleList) -> list[_Stage]:
    return [stage for stage in blocks if isinstance(stage, _Stage)]


class _Conv(nn.Module):
    def __init__(self, width: int, stride: int, ops: Any) -> None:
        super().__init__()
        self.conv = ops.Conv2d(width, width, 3, stride, 0 if stride == 2 else 1)


class _Middle(nn.Module):
    def __init__(self, width: int, groups: int, ops: Any) -> None:
        super().__init__()
        self.block_1, self.block_2 = (_Resnet(width, width, groups, ops) for _ in range(2))
        self.attn_1 = _Attention(width, groups, ops)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class _Resnet(nn.Module):
    def __init__(self, into: int, out: int, groups: int, ops: Any) -> None:
        super().__init__()
        self.norm1, self.norm2 = ops.GroupNorm(groups, into, eps=_EPS), ops.GroupNorm(groups, out, eps=_EPS)
        self.conv1, self.conv2 = ops.Conv2d(into, out, 3, padding=1), ops.Conv2d(out, out, 3, padding=1)
        self.nin_shortcut = ops.Conv2d(into, out, 1) if into != out else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(functional.silu(self.norm2(self.conv1(functional.silu(self.norm1(x))))))
        return y + (x if self.nin_shortcut is None else self.nin_shortcut(x))


class _Attention(nn.Module):
    def __init__(self, width: int, groups: int, ops: Any) -> None:
        super().__init__()
        self.norm = ops.GroupNorm(groups, width, eps=_EPS)
        self.q, self.k, self.v, self.proj_out = (ops.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        q, k, v = (layer(normed).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        read = functional.scaled_dot_product_attention(q, k, v)
        return x + self.proj_out(read.transpose(1, 2).view_as(x))
