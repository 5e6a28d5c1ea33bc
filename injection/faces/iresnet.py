"""ArcFace's network, iresnet, in plain torch: up to its last feature map, or whole, up to a vector.

Layers and keys are those of the weights that insightface's arcface_torch publishes as backbone.pth (arXiv 1801.07698):
residual blocks with a BatchNorm before the first convolution and PReLU between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..files.flat_state import flat_state
from ..files.network_weights import build_network
from ..files.weight_file import read_weights

# Blocks in each of the four stages.
DEPTHS: Mapping[str, tuple[int, int, int, int]] = {
    "r18": (2, 2, 2, 2), "r34": (3, 4, 6, 3), "r50": (3, 4, 14, 3), "r100": (3, 13, 30, 3), "r200": (6, 26, 60, 6),
}  # fmt: skip
_WIDTHS = (64, 128, 256, 512)
_AFTER_THE_MAP = ("fc.", "features.")
_ADVICE = "take a backbone.pth of arcface_torch, unchanged, or an .onnx file of an InsightFace pack"


class IResNet(nn.Module):
    """Faces (B, 3, 112, 112), -1..1 -> map (B, 512, 7, 7). `depths`: blocks in each stage.

    30,744,256 parameters as r50, 123 MB in float32; 52,309,568 as r100, 209 MB.
    """

    def __init__(self, depths: Sequence[int]) -> None:
        super().__init__()
        self.conv1, self.bn1, self.prelu = _convolution(3, 64), nn.BatchNorm2d(64), nn.PReLU(64)
        width_in = 64
        for number, (width, depth) in enumerate(zip(_WIDTHS, depths, strict=True), 1):
            rest = (_Block(width, width, 1) for _ in range(1, depth))
            self.add_module(f"layer{number}", nn.Sequential(_Block(width_in, width, 2), *rest))
            width_in = width
        self.bn2 = nn.BatchNorm2d(_WIDTHS[-1])

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(pixels)))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return self.bn2(x)


class FaceVectorNet(IResNet):
    """Faces (B, 3, side, side), -1..1 -> vectors (B, width), not normalised.

    `depths`: blocks in each stage.
    `side`: of the input in pixels, a multiple of 8.
    `width`: of the vector.

    65,156,160 parameters as r100 at 112 pixels and 512 values, 261 MB in float32.
    """

    def __init__(self, depths: Sequence[int], side: int = 112, width: int = 512) -> None:
        super().__init__(depths)
        cells = -(-side // 16)
        self.fc, self.features = nn.Linear(_WIDTHS[-1] * cells * cells, width), nn.BatchNorm1d(width)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.features(self.fc(super().forward(pixels).flatten(1)))


class _Block(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(width_in), _convolution(width_in, width)
        self.bn2, self.prelu = nn.BatchNorm2d(width), nn.PReLU(width)
        self.conv2, self.bn3 = _convolution(width, width, stride), nn.BatchNorm2d(width)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(inner)) + self.downsample(x)


def _convolution(width_in: int, width: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width, 3, stride, 1, bias=False)


def read_iresnet(path: str | Path) -> IResNet:
    """The network in a .pt, .pth or .safetensors state dict; the keys tell its depth.

    Raises ValueError for a file that cannot be read safely or holds another network, FileNotFoundError without a file.
    """
    state = flat_state(read_weights(path, _ADVICE), ("conv1", "layer1"))
    weights = {key: value for key, value in state.items() if not key.startswith(_AFTER_THE_MAP)}
    depths = depths_of(weights)
    if depths not in DEPTHS.values():
        known = ", ".join(f"{name} {stages}" for name, stages in DEPTHS.items())
        raise ValueError(
            f"{path} does not hold an ArcFace iresnet: blocks in its stages are {depths}, known are {known}; {_ADVICE}"
        )
    return build_network(lambda: IResNet(depths), weights, path, "an ArcFace iresnet", _ADVICE)


def read_face_vector_net(path: str | Path) -> FaceVectorNet:
    """The whole network in a state dict of arcface_torch. Raises as `read_iresnet` does."""
    weights = flat_state(read_weights(path, _ADVICE), ("conv1", "layer1"))
    depths = depths_of(weights)
    return build_network(lambda: FaceVectorNet(depths), weights, path, "a whole ArcFace iresnet", _ADVICE)


def depths_of(weights: Mapping[str, Any]) -> tuple[int, ...]:
    """Number of blocks of each stage, by the keys of the weights; 0 for a stage that is missing."""
    return tuple(
        len({key.split(".")[1] for key in weights if key.startswith(f"layer{number}.")}) for number in range(1, 5)
    )
