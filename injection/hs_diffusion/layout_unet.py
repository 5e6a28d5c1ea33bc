"""The denoiser of the layout-conditioned latent diffusion model, on a UNet that computes as diffusers' UNet2DModel.

The layout at the size of the latent goes through a 1 x 1 convolution, as in CompVis' semantic synthesis, and is
concatenated to the noisy latent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...fusion.regions.layout import CLASSES
from .blocks import Middle, Sampler, Stage, stages

_EPS = 1e-5
# The slowest of the time embedding's waves.
_PERIOD = 10000


@dataclass(frozen=True)
class UNetShape:
    """`widths`: channels of the stages, the finest first. `attends`: which of them have self-attention."""

    widths: tuple[int, ...] = (128, 512, 1024)
    attends: tuple[bool, ...] = (False, True, True)
    layers: int = 2
    groups: int = 32
    head_width: int = 64
    latent: int = 3
    encoded: int = 3


class UNet(nn.Module):
    """(N, latent + encoded, h, w) and timesteps (N,) -> noise (N, latent, h, w)."""

    def __init__(self, shape: UNetShape, ops: Any = nn) -> None:
        super().__init__()
        widths, time, last = shape.widths, 4 * shape.widths[0], shape.widths[-1]
        common = (shape.head_width, shape.groups, _EPS, time, ops)
        self.conv_in = ops.Conv2d(shape.latent + shape.encoded, widths[0], 3, padding=1)
        self.time_embedding = _TimeEmbedding(widths[0], time, ops)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips = [widths[0]]
        for i, width in enumerate(widths):
            into = [widths[max(i - 1, 0)]] + [width] * (shape.layers - 1)
            stage = Stage([(n, width) for n in into], shape.attends[i], *common)
            skips += [width] * shape.layers
            if i < len(widths) - 1:
                stage.downsamplers = nn.ModuleList([Sampler(width, 2, 1, ops)])
                skips.append(width)
            self.down_blocks.append(stage)
        self.mid_block = Middle(last, *common)
        before = last
        for i, width in reversed(list(enumerate(widths))):
            pairs = [((before if k == 0 else width) + skips.pop(), width) for k in range(shape.layers + 1)]
            stage, before = Stage(pairs, shape.attends[i], *common), width
            if i:
                stage.upsamplers = nn.ModuleList([Sampler(width, 1, 1, ops)])
            self.up_blocks.append(stage)
        self.conv_norm_out = ops.GroupNorm(shape.groups, widths[0], _EPS)
        self.conv_out = ops.Conv2d(widths[0], shape.latent, 3, padding=1)

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        time = self.time_embedding(timesteps, x.dtype)
        x = self.conv_in(x)
        skips = [x]
        for stage in stages(self.down_blocks):
            for i in range(len(stage)):
                x = stage.layer(i, x, time)
                skips.append(x)
            if stage.downsamplers is not None:
                x = stage.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block(x, time)
        for stage in stages(self.up_blocks):
            for i in range(len(stage)):
                x = stage.layer(i, torch.cat([x, skips.pop()], 1), time)
            if stage.upsamplers is not None:
                x = stage.upsamplers[0](x, skips[-1].shape[2:])
        return self.conv_out(functional.silu(self.conv_norm_out(x)))


class _TimeEmbedding(nn.Module):
    def __init__(self, waves: int, width: int, ops: Any) -> None:
        super().__init__()
        self.waves = waves
        self.linear_1, self.linear_2 = ops.Linear(waves, width), ops.Linear(width, width)

    def forward(self, timesteps: Tensor, dtype: torch.dtype) -> Tensor:
        half = self.waves // 2
        rates = torch.exp(-math.log(_PERIOD) * torch.arange(half, device=timesteps.device) / half)
        angles = timesteps.float()[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], 1).to(dtype)
        return self.linear_2(functional.silu(self.linear_1(waves)))


class LayoutUNet(nn.Module):
    """What a host samples with: the noisy latent with the layout's classes behind it -> noise."""

    def __init__(self, shape: UNetShape, ops: Any = nn) -> None:
        super().__init__()
        self.latent = shape.latent
        self.layout_encoder = ops.Conv2d(len(CLASSES), shape.encoded, 1, bias=False)
        self.unet = UNet(shape, ops)

    def forward(self, x: Tensor, timesteps: Tensor, *_: Any, **__: Any) -> Tensor:
        """`x`: (N, latent + 5, h, w). Further arguments, such as text, mean nothing to this model."""
        encoded = self.layout_encoder(x[:, self.latent :])
        return self.unet(torch.cat([x[:, : self.latent], encoded], 1), timesteps)


def layout_cells(areas: Tensor, factor: int) -> Tensor:
    """Layouts (N, 5, H, W) at the size of the latent, by halving bilinearly; what does not fill a cell is cut off
    about the middle, as the codec cuts pictures."""
    for dimension in (2, 3):
        length = areas.shape[dimension]
        areas = areas.narrow(dimension, length % factor // 2, length // factor * factor)
    while factor > 1:
        areas = functional.interpolate(areas, scale_factor=0.5, mode="bilinear", align_corners=False)
        factor //= 2
    return areas
