"""The network of the built-in face parser: MobileNetV3-small with a decoder that goes back to every pixel.

Papers: "Searching for MobileNetV3", arXiv 1905.02244; the last stage is dilated instead of strided, as in DeepLab.
Trained by `training/parser`; batch normalisation is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blaze_blocks import same_padding

# Side of the square input in pixels.
PARSER_SIZE = 256
CLASSES = (
    "background", "hair", "face", "ears", "neck", "body", "hat", "frame", "lens", "occluder",
)  # fmt: skip

# ImageNet's mean and deviation, with which the encoder was first trained.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Stage(NamedTuple):
    """One inverted bottleneck. `squeeze`: channels inside its channel attention, 0 without one."""

    into: int
    wide: int
    out: int
    kernel: int
    stride: int
    squeeze: int
    hard_swish: bool
    dilation: int = 1


STAGES = (
    Stage(16, 16, 16, 3, 2, 8, False),
    Stage(16, 72, 24, 3, 2, 0, False),
    Stage(24, 88, 24, 3, 1, 0, False),
    Stage(24, 96, 40, 5, 2, 24, True),
    Stage(40, 240, 40, 5, 1, 64, True),
    Stage(40, 240, 40, 5, 1, 64, True),
    Stage(40, 120, 48, 5, 1, 32, True),
    Stage(48, 144, 48, 5, 1, 40, True),
    Stage(48, 288, 96, 5, 1, 72, True, 2),
    Stage(96, 576, 96, 5, 1, 144, True, 2),
    Stage(96, 576, 96, 5, 1, 144, True, 2),
)
# The stages whose outputs the decoder reads again, at 1/4 and 1/8 of the input's side.
_QUARTER, _EIGHTH = 0, 2
# Channels of the decoder at 1/16, 1/8, 1/4 and 1/2 of the input's side.
_WIDTHS = (64, 48, 32, 24)


class Bottleneck(nn.Module):
    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.expand = nn.Conv2d(stage.into, stage.wide, 1) if stage.wide != stage.into else None
        padding = stage.dilation * (stage.kernel // 2) if stage.stride == 1 else 0
        self.depthwise = nn.Conv2d(
            stage.wide, stage.wide, stage.kernel, stage.stride, padding, stage.dilation, groups=stage.wide
        )
        self.squeeze = nn.Conv2d(stage.wide, stage.squeeze, 1) if stage.squeeze else None
        self.excite = nn.Conv2d(stage.squeeze, stage.wide, 1) if stage.squeeze else None
        self.project = nn.Conv2d(stage.wide, stage.out, 1)

    def forward(self, x: Tensor) -> Tensor:
        act = F.hardswish if self.stage.hard_swish else F.relu
        y = x if self.expand is None else act(self.expand(x))
        if self.stage.stride == 2:
            y = same_padding(y, self.stage.kernel, 2)
        y = act(self.depthwise(y))
        if self.squeeze is not None and self.excite is not None:
            y = y * F.hardsigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = self.project(y)
        return x + y if self.stage.stride == 1 and self.stage.into == self.stage.out else y


class FaceParser(nn.Module):
    """(N, 3, h, w) RGB 0..1, h and w multiples of 16 -> class logits (N, 10, h, w), in the order of CLASSES.

    `stages`, `classes`: a smaller net has fewer of them.
    """

    def __init__(self, stages: Sequence[Stage] = STAGES, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2)
        self.stages = nn.ModuleList(Bottleneck(stage) for stage in stages)
        deepest, eighth, quarter, half = _WIDTHS
        self.at_16th = nn.Conv2d(stages[-1].out, deepest, 1)
        self.context = nn.Conv2d(stages[-1].out, deepest, 1)
        self.at_eighth = nn.Conv2d(deepest + STAGES[_EIGHTH].out, eighth, 3, padding=1)
        self.at_quarter = nn.Conv2d(eighth + STAGES[_QUARTER].out, quarter, 3, padding=1)
        self.at_half = nn.Conv2d(quarter + 16, half, 3, padding=1)
        self.classes = nn.Conv2d(half, 4 * classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - x.new_tensor(_MEAN).view(3, 1, 1)) / x.new_tensor(_STD).view(3, 1, 1)
        half = F.hardswish(self.stem(same_padding(x, 3, 2)))
        maps = [half]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        whole = self.context(maps[-1].mean((2, 3), keepdim=True))
        y = F.relu(self.at_16th(maps[-1]) + whole)
        y = F.relu(self.at_eighth(torch.cat((_twice(y), maps[1 + _EIGHTH]), 1)))
        y = F.relu(self.at_quarter(torch.cat((_twice(y), maps[1 + _QUARTER]), 1)))
        y = F.relu(self.at_half(torch.cat((_twice(y), half), 1)))
        return F.pixel_shuffle(self.classes(y), 2)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
