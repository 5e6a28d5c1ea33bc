"""The codec of the latent diffusion model: a VQ autoencoder, computation and weight names those of diffusers' VQModel.

Paper: "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv 2112.10752; VQ-f4 has three stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import Middle, Sampler, Stage, stages

_EPS = 1e-6


@dataclass(frozen=True)
class CodecShape:
    """`widths`: channels of the stages, the finest first; each but the last halves the grid. `codes`: of the book."""

    widths: tuple[int, ...] = (128, 256, 512)
    layers: int = 2
    groups: int = 32
    latent: int = 3
    codes: int = 8192

    @property
    def factor(self) -> int:
        """Pixels for one latent cell, along each side."""
        return 2 ** (len(self.widths) - 1)


class Codec(nn.Module):
    """Pictures (N, 3, H, W) in -1..1 <-> latents (N, latent, H / factor, W / factor)."""

    def __init__(self, shape: CodecShape, ops: Any = nn) -> None:
        super().__init__()
        self.encoder, self.decoder = _Encoder(shape, ops), _Decoder(shape, ops)
        self.quant_conv, self.post_quant_conv = (ops.Conv2d(shape.latent, shape.latent, 1) for _ in range(2))
        self.quantize = _Book(shape, ops)

    def encode(self, x: Tensor) -> Tensor:
        """Not yet quantised: the diffusion model works on what the encoder says."""
        return self.quant_conv(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(self.quantize(z)))


class _Book(nn.Module):
    def __init__(self, shape: CodecShape, ops: Any) -> None:
        super().__init__()
        self.embedding = ops.Embedding(shape.codes, shape.latent)

    def forward(self, z: Tensor) -> Tensor:
        """Each cell's nearest code."""
        cells = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        book = self.embedding.weight.to(cells)
        codes = torch.cdist(cells.float(), book.float()).argmin(1)
        return functional.embedding(codes, book).view(len(z), *z.shape[2:], -1).permute(0, 3, 1, 2)


class _Encoder(nn.Module):
    def __init__(self, shape: CodecShape, ops: Any) -> None:
        super().__init__()
        widths, last = shape.widths, shape.widths[-1]
        self.conv_in = ops.Conv2d(3, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            into = [widths[max(i - 1, 0)]] + [width] * (shape.layers - 1)
            stage = Stage([(n, width) for n in into], False, width, shape.groups, _EPS, 0, ops)
            if i < len(widths) - 1:
                stage.downsamplers = nn.ModuleList([Sampler(width, 2, 0, ops)])
            self.down_blocks.append(stage)
        self.mid_block = Middle(last, last, shape.groups, _EPS, 0, ops)
        self.conv_norm_out = ops.GroupNorm(shape.groups, last, _EPS)
        self.conv_out = ops.Conv2d(last, shape.latent, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for stage in stages(self.down_blocks):
            for i in range(len(stage)):
                x = stage.layer(i, x)
            if stage.downsamplers is not None:
                x = stage.downsamplers[0](x)
        return self.conv_out(functional.silu(self.conv_norm_out(self.mid_block(x))))


class _Decoder(nn.Module):
    def __init__(self, shape: CodecShape, ops: Any) -> None:
        super().__init__()
        widths = shape.widths[::-1]
        self.conv_in = ops.Conv2d(shape.latent, widths[0], 3, padding=1)
        self.mid_block = Middle(widths[0], widths[0], shape.groups, _EPS, 0, ops)
        self.up_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            into = [widths[max(i - 1, 0)]] + [width] * shape.layers
            stage = Stage([(n, width) for n in into], False, width, shape.groups, _EPS, 0, ops)
            if i < len(widths) - 1:
                stage.upsamplers = nn.ModuleList([Sampler(width, 1, 1, ops)])
            self.up_blocks.append(stage)
        self.conv_norm_out = ops.GroupNorm(shape.groups, widths[-1], _EPS)
        self.conv_out = ops.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(z))
        for stage in stages(self.up_blocks):
            for i in range(len(stage)):
                x = stage.layer(i, x)
            if stage.upsamplers is not None:
                x = stage.upsamplers[0](x, torch.Size(2 * n for n in x.shape[2:]))
        return self.conv_out(functional.silu(self.conv_norm_out(x)))
