"""The network of Deep3DFaceRecon: a photograph of one face -> the coefficients of a 3D morphable face.

Layers, keys and order of the heads are those of the published PyTorch weights, epoch_20.pth (arXiv 1903.08527; the
network there is a ResNet-50 whose stride lies in the 3 x 3 convolutions, with a linear head for each coefficient).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..files.flat_state import flat_state
from ..files.network_weights import build_network
from ..files.weight_file import read_weights

# Number of coefficients: shape of the Basel Face Model, expression (Guo et al.), texture of the Basel Face Model,
# rotation about the x, y and z axis in radians, spherical harmonics of the light (nine per colour), head position.
COEFFICIENTS: Mapping[str, int] = {
    "identity": 80, "expression": 64, "texture": 80, "angles": 3, "light": 27, "translation": 3,
}  # fmt: skip
# Side of the network's input in pixels.
SIDE = 224

# Translation has two layers: sideways and up in one, towards the camera in the other.
_HEADS = (80, 64, 80, 3, 27, 2, 1)
# Width, depth and stride of each stage.
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
# Tables of the checkpoint in which the network may lie.
_TABLES = ("net_recon",)
_ADVICE = "take epoch_20.pth of Deep3DFaceRecon_pytorch, unchanged, or its 'net_recon' saved as .safetensors"


class Deep3DNetwork(nn.Module):
    """Faces (B, 3, 224, 224), 0..1 -> coefficients (B, 257). 24.0 million parameters, 96 MB in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _ResNet50()
        self.final_layers = nn.ModuleList(nn.Conv2d(2048, width, 1) for width in _HEADS)

    def forward(self, pixels: Tensor) -> Tensor:
        pooled = self.backbone(pixels).mean((2, 3), keepdim=True)
        return torch.cat([layer(pooled) for layer in self.final_layers], 1).flatten(1)


class _ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        width_in = 64
        for number, (width, depth, stride) in enumerate(_STAGES, 1):
            rest = (_Bottleneck(4 * width, width, 1) for _ in range(1, depth))
            self.add_module(f"layer{number}", nn.Sequential(_Bottleneck(width_in, width, stride), *rest))
            width_in = 4 * width

    def forward(self, pixels: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(pixels))), 3, 2, 1)
        for number in range(1, len(_STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return x


class _Bottleneck(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample: nn.Module = nn.Identity()
        if width_in != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(width_in, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(x)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.bn3(self.conv3(inner)) + self.downsample(x))


def split_coefficients(coefficients: Tensor) -> dict[str, Tensor]:
    """(B, 257) -> group (a key of COEFFICIENTS) -> its coefficients (B, n)."""
    return dict(zip(COEFFICIENTS, coefficients.split(list(COEFFICIENTS.values()), 1), strict=True))


def read_deep3d(path: str | Path) -> Deep3DNetwork:
    """The network in a checkpoint (.pth, .pt), which may hold optimiser and schedule beside it, or a .safetensors file.

    Raises ValueError for a file that cannot be read safely or holds another network, FileNotFoundError without a file.
    """
    weights = flat_state(read_weights(path, _ADVICE), ("backbone", "final_layers"), _TABLES)
    return build_network(Deep3DNetwork, weights, path, "a Deep3DFaceRecon network", _ADVICE)
