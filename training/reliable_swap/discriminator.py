"""Which patches of a picture look real, at several scales (pix2pixHD, arXiv 1711.11585), and VGG19's maps."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...injection.files.flat_state import flat_state
from ...injection.files.network_weights import build_network
from ...injection.files.weight_file import read_weights

_SLOPE = 0.2
# Channels of VGG19's convolutions between its poolings, up to the first of the fifth group.
_VGG = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ADVICE = "take vgg19-dcbb9e9d.pth of torchvision, unchanged"


class PatchJudge(nn.Module):
    """Pictures (B, 3, S, S), -1..1 -> scores of patches, (B, 1, h, w) for each scale, each half as fine."""

    def __init__(self, scales: int = 3, width: int = 64, layers: int = 4) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_patches(width, layers) for _ in range(scales))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        scores = []
        for scale in self.scales:
            scores.append(scale(pictures))
            pictures = functional.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
        return scores


def _patches(width: int, layers: int) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 2), nn.LeakyReLU(_SLOPE)]
    inside = width
    for number in range(1, layers):
        outside = min(2 * inside, 8 * width)
        parts += [nn.Conv2d(inside, outside, 4, 2 if number < layers - 1 else 1, 2)]
        parts += [nn.InstanceNorm2d(outside), nn.LeakyReLU(_SLOPE)]
        inside = outside
    return nn.Sequential(*parts, nn.Conv2d(inside, 1, 4, 1, 2))


class VggMaps(nn.Module):
    """Pictures (B, 3, S, S), -1..1 -> the maps after the first convolution of each of VGG19's five groups."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 3
        self.marks: list[int] = []
        for group in _VGG:
            layers += [nn.MaxPool2d(2)] if layers else []
            self.marks.append(len(layers) + 1)
            for width in group:
                layers += [nn.Conv2d(inside, width, 3, 1, 1), nn.ReLU()]
                inside = width
        self.features = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        mean, deviation = (pictures.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _STD))
        x, maps = ((pictures + 1) / 2 - mean) / deviation, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.marks:
                maps.append(x)
        return maps


def read_vgg(path: Path) -> VggMaps:
    """From torchvision's own file. Raises ValueError for another one."""
    state = flat_state(read_weights(path, _ADVICE), ("features", "classifier"))
    with torch.device("meta"):
        known = VggMaps().state_dict().keys()
    weights = {key: weight for key, weight in state.items() if key in known}
    return build_network(VggMaps, weights, path, "VGG19", _ADVICE).requires_grad_(False)
