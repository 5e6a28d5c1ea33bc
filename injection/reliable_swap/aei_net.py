"""FaceShifter's AEI-Net (arXiv 1912.13457) in plain torch, with the layers and keys of ReliableSwap's files.

A U-Net describes the target by eight maps of attributes; a generator mixes them with an identity, map by map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Side of target and result in pixels.
SIDE = 256
# Channels of the encoder's seven convolutions, and of its six deconvolutions before each is joined to a convolution.
_DOWN = (3, 32, 64, 128, 256, 512, 1024, 1024)
_UP = (1024, 512, 256, 128, 64, 32)
# Channels of the eight maps, from 2 x 2 to 256 x 256 cells.
ATTRIBUTES = (1024, 2048, 1024, 512, 256, 128, 64, 64)
# Channels before the first block and after each.
_BLOCKS = (1024, 1024, 1024, 1024, 512, 256, 128, 64, 3)
_SLOPE = 0.1


class AEINet(nn.Module):
    """Targets (B, 3, 256, 256), -1..1, and identities (B, width) -> swapped faces (B, 3, 256, 256), -1..1.

    `width`: of the identity, 512 for ArcFace alone or 640 with FixerNet; 184.34 or 187.96 million parameters.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder, self.generator = _Encoder(), _Generator(width)

    def forward(self, target: Tensor, identity: Tensor) -> Tensor:
        return self.generator(self.encoder(target), identity)


class _Encoder(nn.Module):
    """Pictures -> the eight maps of attributes."""

    def __init__(self) -> None:
        super().__init__()
        for number, (inside, width) in enumerate(zip(_DOWN[:-1], _DOWN[1:], strict=True), 1):
            convolution = nn.Conv2d(inside, width, 4, 2, 1, bias=False)
            self.add_module(f"conv{number}", nn.Sequential(convolution, nn.BatchNorm2d(width), nn.LeakyReLU(_SLOPE)))
        # Every deconvolution after the first reads the one before, joined to a convolution as wide as it.
        inside = _DOWN[-1]
        for number, width in enumerate(_UP, 1):
            self.add_module(f"deconv{number}", _Deconvolution(inside, width))
            inside = 2 * width

    def forward(self, picture: Tensor) -> list[Tensor]:
        features = [picture]
        for number in range(1, len(_DOWN)):
            features.append(self.get_submodule(f"conv{number}")(features[-1]))
        maps = [features.pop()]
        for number in range(1, len(_UP) + 1):
            maps.append(torch.cat([self.get_submodule(f"deconv{number}")(maps[-1]), features.pop()], 1))
        return [*maps, _doubled(maps[-1])]


class _Deconvolution(nn.Module):
    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.deconv, self.bn = nn.ConvTranspose2d(inside, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.bn(self.deconv(x)), _SLOPE)


class _Generator(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up1 = nn.ConvTranspose2d(width, _BLOCKS[0], 2)
        sizes = zip(_BLOCKS[:-1], _BLOCKS[1:], ATTRIBUTES, strict=True)
        for number, (inside, outside, attributes) in enumerate(sizes, 1):
            self.add_module(f"AADBlk{number}", _Block(inside, outside, attributes, width))

    def forward(self, maps: list[Tensor], identity: Tensor) -> Tensor:
        x = self.up1(identity[:, :, None, None])
        for number, attributes in enumerate(maps, 1):
            x = _doubled(x) if number > 1 else x
            x = self.get_submodule(f"AADBlk{number}")(x, attributes, identity)
        return torch.tanh(x)


class _Block(nn.Module):
    """A residual block; where it changes the number of channels, its bypass is a third layer."""

    def __init__(self, inside: int, outside: int, attributes: int, width: int) -> None:
        super().__init__()
        self.AAD1, self.conv1 = _Mixing(inside, attributes, width), nn.Conv2d(inside, inside, 3, 1, 1, bias=False)
        self.AAD2, self.conv2 = _Mixing(inside, attributes, width), nn.Conv2d(inside, outside, 3, 1, 1, bias=False)
        self.bypassed = inside != outside
        if self.bypassed:
            self.AAD3, self.conv3 = _Mixing(inside, attributes, width), nn.Conv2d(inside, outside, 3, 1, 1, bias=False)

    def forward(self, h: Tensor, attributes: Tensor, identity: Tensor) -> Tensor:
        x = self.conv1(functional.relu(self.AAD1(h, attributes, identity)))
        x = self.conv2(functional.relu(self.AAD2(x, attributes, identity)))
        return x + (self.conv3(functional.relu(self.AAD3(h, attributes, identity))) if self.bypassed else h)


class _Mixing(nn.Module):
    """Adaptive attentional denormalisation: at each cell a mask chooses between attributes and identity."""

    def __init__(self, channels: int, attributes: int, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(attributes, channels, 1), nn.Conv2d(attributes, channels, 1)
        self.fc1, self.fc2 = nn.Linear(width, channels), nn.Linear(width, channels)
        self.conv_h = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor, attributes: Tensor, identity: Tensor) -> Tensor:
        h = functional.instance_norm(x)
        by_attributes = self.conv1(attributes) * h + self.conv2(attributes)
        by_identity = self.fc1(identity)[:, :, None, None] * h + self.fc2(identity)[:, :, None, None]
        mask = torch.sigmoid(self.conv_h(h))
        return (1 - mask) * by_attributes + mask * by_identity


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
