"""SimSwap's generator (arXiv 2106.06340) in plain torch, with the layers and keys of published files."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Channels from the first convolution to the narrowest maps, and the number of blocks there.
_WIDTHS = (64, 128, 256, 512)
_BLOCKS = 9
_EPSILON = 1e-8


class SimSwapNet(nn.Module):
    """Targets (B, 3, s, s) and identities (B, width) -> swapped faces (B, 3, s, s), not limited to -1..1.

    Targets are -1..1, s is a multiple of 8. `width`: of the identity, 512 for ArcFace alone or 640 with FixerNet, then
    57.41 million parameters.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_layer = _layer(nn.ReflectionPad2d(3), nn.Conv2d(3, _WIDTHS[0], 7))
        for number in (1, 2, 3):
            inside, outside = _WIDTHS[number - 1], _WIDTHS[number]
            self.add_module(f"down{number}", _layer(nn.Conv2d(inside, outside, 3, 2, 1)))
            enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            self.add_module(f"up{number}", _layer(enlarge, nn.Conv2d(outside, inside, 3, 1, 1)))
        self.BottleNeck = nn.ModuleList(_Block(_WIDTHS[-1], width) for _ in range(_BLOCKS))
        self.last_layer = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(_WIDTHS[0], 3, 7))

    def forward(self, target: Tensor, identity: Tensor) -> Tensor:
        x = self.first_layer(target)
        for name in ("down1", "down2", "down3"):
            x = self.get_submodule(name)(x)
        for block in self.BottleNeck:
            x = block(x, identity)
        for name in ("up3", "up2", "up1"):
            x = self.get_submodule(name)(x)
        return self.last_layer(x)


def _layer(*layers: nn.Module) -> nn.Sequential:
    """The layers, of which the last is a convolution, then BatchNorm and ReLU."""
    convolution = layers[-1]
    if not isinstance(convolution, nn.Conv2d):
        raise TypeError(f"the last layer is a {type(convolution).__name__}, needed is a Conv2d")
    return nn.Sequential(*layers, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


class _Block(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3))
        self.conv2 = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3))
        self.style1, self.style2 = _Style(channels, width), _Style(channels, width)

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:
        y = functional.relu(self.style1(_normed(self.conv1(x)), identity))
        return x + self.style2(_normed(self.conv2(y)), identity)


class _Style(nn.Module):
    """Adaptive instance normalisation: the identity gives each channel its scale and shift."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * channels)

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:
        scale, shift = self.linear(identity)[:, :, None, None].chunk(2, 1)
        return x * (scale + 1) + shift


def _normed(x: Tensor) -> Tensor:
    centred = x - x.mean((2, 3), keepdim=True)
    return centred * torch.rsqrt(centred.square().mean((2, 3), keepdim=True) + _EPSILON)
