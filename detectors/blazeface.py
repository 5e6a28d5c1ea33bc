"""BlazeFace: the two face detectors of MediaPipe as plain modules, and the decoding of their output.

Paper: "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv 1907.05047; the 192 x 192 net follows
the model card "MediaPipe Face Detection (Full Range Sparse)". Layer names are those of tools/convert_mediapipe.py.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blaze_blocks import BlazeBlock, Depthwise, Pointwise, same_padding

# Side of each net's square input in pixels.
SHORT_SIZE, FULL_SIZE = 128, 192
# Box (centre, size) and six points, x and y of each: the eye at the picture's left, the other eye, nose tip, mouth
# centre, and both ears.
VALUES_PER_ANCHOR = 16
# For each output map: pixels per cell, anchors per cell.
Strides = tuple[tuple[int, int], ...]
SHORT_STRIDES: Strides = ((8, 2), (16, 6))
FULL_STRIDES: Strides = ((4, 1),)


class AnchorProposals(NamedTuple):
    """The K anchors above a score: raw boxes (K, 16), and their logits, windows and anchors by number, each (K,)."""

    boxes: Tensor
    logits: Tensor
    windows: Tensor
    anchors: Tensor


class ShortRange(nn.Module):
    """The 128 x 128 detector, for faces that fill a fifth of the square or more.

    (N, 3, 128, 128) in -1..1 -> boxes (N, 896, 16) in pixels relative to their anchor, score logits (N, 896).
    """

    WIDTHS = (24, 24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88, 96, 96, 96, 96, 96)
    STRIDED = (2, 5, 11)
    # The last block of the finer of the two output maps.
    FINE = 10

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 5, 2)
        pairs = zip(self.WIDTHS, self.WIDTHS[1:], strict=False)
        self.blocks = nn.ModuleList(BlazeBlock(a, b, 1 + (i in self.STRIDED)) for i, (a, b) in enumerate(pairs))
        self.score_fine, self.score_coarse = Pointwise(88, 2), Pointwise(96, 6)
        self.box_fine, self.box_coarse = Pointwise(88, 32), Pointwise(96, 96)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.stem(same_padding(x, 5, 2)))
        for block in self.blocks[: self.FINE + 1]:
            x = block(x)
        scores, boxes = [_rows(self.score_fine(x), 1)], [_rows(self.box_fine(x), VALUES_PER_ANCHOR)]
        for block in self.blocks[self.FINE + 1 :]:
            x = block(x)
        scores.append(_rows(self.score_coarse(x), 1))
        boxes.append(_rows(self.box_coarse(x), VALUES_PER_ANCHOR))
        return torch.cat(boxes, 1), torch.cat(scores, 1)[..., 0]

    def proposals(self, x: Tensor, least: float) -> AnchorProposals:
        """Windows (N, 3, 128, 128) in -1..1 -> the anchors whose logit is more than `least`."""
        boxes, logits = self(x)
        window, anchor = (logits > least).nonzero(as_tuple=True)
        return AnchorProposals(boxes[window, anchor], logits[window, anchor], window, anchor)


class Separable(nn.Module):
    """Depthwise with padding on all sides, then pointwise."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Depthwise(in_channels, stride, symmetric=True)
        self.pointwise = Pointwise(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class DoubleBlock(nn.Module):
    """Two separable convolutions through a bottleneck.

    Where the shape stays the same, the input is added and overwritten with the result.
    """

    def __init__(self, in_channels: int, bottleneck: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.squeeze, self.expand = Separable(in_channels, bottleneck, stride), Separable(bottleneck, out_channels)
        self.residual = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu_(self.squeeze(x))
        if self.residual:
            return F.relu_(self.expand.pointwise.onto(x, self.expand.depthwise(y)))
        return F.relu_(self.expand(y))


def _stage(in_channels: int, bottleneck: int, out_channels: int, count: int) -> nn.Sequential:
    down = [DoubleBlock(in_channels, bottleneck, out_channels, 2)] if in_channels != out_channels else []
    blocks = (DoubleBlock(out_channels, bottleneck, out_channels) for _ in range(count - len(down)))
    return nn.Sequential(*down, *blocks)


class FullRange(nn.Module):
    """The 192 x 192 detector, for faces from a twelfth of the square up: a feature pyramid with one anchor per cell.

    (N, 3, 192, 192) in -1..1 -> boxes (N, 2304, 16) in pixels relative to their anchor, score logits (N, 2304). Takes
    any sides that are multiples of 32; they give one anchor per 16 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        self.stages = nn.ModuleList((
            _stage(32, 8, 32, 2), _stage(32, 16, 64, 3), _stage(64, 32, 128, 3),
            _stage(128, 48, 192, 3), _stage(192, 96, 384, 4),
        ))  # fmt: skip
        self.lateral = nn.ModuleList((Pointwise(64, 48), Pointwise(128, 64), Pointwise(192, 96)))
        self.reduce = nn.ModuleList((Pointwise(384, 96), Pointwise(96, 64), Pointwise(64, 48)))
        self.up = nn.ModuleList((_stage(96, 48, 96, 2), _stage(64, 32, 64, 2), _stage(48, 24, 48, 1)))
        self.score, self.score_down = Pointwise(48, 4), Depthwise(4, 2, symmetric=True)
        self.box, self.box_down = Pointwise(48, 64), Depthwise(64, 2, symmetric=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self._features(x)
        return _rows(_depth_to_space(self.box_down(self.box(features))), VALUES_PER_ANCHOR), self._logits(features)

    def proposals(self, x: Tensor, least: float) -> AnchorProposals:
        """Windows (N, 3, H, W) in -1..1 -> the anchors whose logit is more than `least`; computes only their boxes."""
        features = self._features(x)
        logits = self._logits(features)
        window, anchor = (logits > least).nonzero(as_tuple=True)
        return AnchorProposals(self._boxes(features, window, anchor), logits[window, anchor], window, anchor)

    def _features(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 48, H / 4, W / 4)."""
        # The early maps are wide. Those of a few windows at a time stay in the cache: a third faster than all at once.
        few = max(4 * FULL_SIZE**2 // (x.shape[2] * x.shape[3]), 1)
        early = [self.stages[1](self.stages[0](F.relu_(self.stem(windows)))) for windows in x.split(few)]
        x = early[0] if len(early) == 1 else torch.cat(early)
        sides = [F.relu_(self.lateral[0](x))]
        for stage, lateral in zip(self.stages[2:4], self.lateral[1:], strict=True):
            x = stage(x)
            sides.append(F.relu_(lateral(x)))
        x = self.stages[4](x)
        for reduce, up, side in zip(self.reduce, self.up, reversed(sides), strict=True):
            x = F.interpolate(F.relu_(reduce(x)), scale_factor=2, mode="bilinear")
            x = up(side.add_(x))
        return x

    def _logits(self, features: Tensor) -> Tensor:
        return _rows(_depth_to_space(self.score_down(self.score(features))), 1)[..., 0]

    def _boxes(self, features: Tensor, window: Tensor, anchor: Tensor) -> Tensor:
        """The output of `box`, `box_down` and `_depth_to_space` at K anchors only, (K, 16)."""
        rows = features.permute(0, 2, 3, 1)
        _, height, width, channels = rows.shape
        y, x = anchor // width, anchor % width
        # Two by two anchors share a cell of box_down, each with 16 channels of its own; a cell reads 3 x 3 features.
        quarter, near = y % 2 * 2 + x % 2, torch.arange(-1, 2, device=anchor.device)
        down = (y // 2 * 2)[:, None] + near.repeat_interleave(3)
        across = (x // 2 * 2)[:, None] + near.repeat(3)
        inside = (down >= 0) & (down < height) & (across >= 0) & (across < width)
        patches = rows[window[:, None], down.clamp(0, height - 1), across.clamp(0, width - 1)]
        weight, bias = self.box.weight.view(4, VALUES_PER_ANCHOR, channels).mT, self.box.get_parameter("bias")
        boxes = (patches @ weight[quarter] + bias.view(4, 1, -1)[quarter]) * inside[..., None]
        taps = self.box_down.weight.reshape(4, VALUES_PER_ANCHOR, 9).mT
        return (boxes * taps[quarter]).sum(1) + self.box_down.get_parameter("bias").view(4, -1)[quarter]


def _rows(x: Tensor, values: int) -> Tensor:
    """(N, anchors * values, H, W) -> (N, H * W * anchors, values)."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, values)


def _depth_to_space(x: Tensor) -> Tensor:
    """TFLite's DEPTH_TO_SPACE by 2, whose channels are ordered (row, column, channel)."""
    n, channels, height, width = x.shape
    x = x.reshape(n, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, channels // 4, height * 2, width * 2)


def anchors(height: int, width: int, strides: Strides) -> Tensor:
    """Anchor centres (A, 2) as x, y in pixels of a window of `height` x `width`."""
    grids = []
    for stride, count in strides:
        y, x = ((torch.arange(side // stride, dtype=torch.float32) + 0.5) * stride for side in (height, width))
        cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
        grids.append(cells.reshape(-1, 1, 2).expand(-1, count, 2).reshape(-1, 2))
    return torch.cat(grids)


def decode(boxes: Tensor, centres: Tensor) -> Tensor:
    """Raw boxes (..., 16) at the anchors `centres` (..., 2) -> points (..., 8, 2) as x, y in pixels of the window.

    The first two are the box's top left and bottom right corners, then follow the six points of the face.
    """
    values = boxes.unflatten(-1, (8, 2))
    middle, half = values[..., 0, :] + centres, values[..., 1, :] / 2
    points = values[..., 2:, :] + centres.unsqueeze(-2)
    return torch.cat((torch.stack((middle - half, middle + half), -2), points), -2)
