"""Attention Mesh: the face mesh with a closer look at lips, eyes and irises, 478 points in three dimensions.

Paper: "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time", arXiv 2006.10962. The coarse mesh locates lips
and eyes. A spatial transformer cuts windows there out of an early feature map, and a small net for each window predicts
its points again. Layers are named as in tools/convert_mediapipe.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blaze_blocks import BlazeBlock, Collapse, Depthwise, Pointwise, same_padding
from .crops import turn
from .face_mesh import MESH_POINTS, MESH_SIZE, FaceMesh

ATTENTION_POINTS = 478
# Cells along one side of a window.
CELLS = 16
# Side of the square, in units of the heads' outputs, that a window is for them.
WINDOW_SIZE = 64
# Size of a window as a multiple of the box around its points.
WINDOW_MARGIN = 1.5

# Points in the order of the net's outputs; those of an eye begin with the contour of its opening.
_LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
)  # fmt: skip
_LEFT_EYE = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,
    130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190,
    226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53, 52, 65,
    143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
)  # fmt: skip
_RIGHT_EYE = (
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398,
    359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414,
    446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295,
    372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
)  # fmt: skip
_LEFT_IRIS, _RIGHT_IRIS = tuple(range(468, 473)), tuple(range(473, 478))
_CONTOUR = 16

# Each window: its mesh points, and the two of them that lie level in it. Each head: the points that it predicts, and
# the number of its window.
WINDOWS = ((_LIPS, 61, 291), (_LEFT_EYE, 33, 133), (_RIGHT_EYE, 362, 263))
HEADS = ((_LIPS, 0), (_LEFT_EYE, 1), (_LEFT_IRIS, 1), (_RIGHT_EYE, 2), (_RIGHT_IRIS, 2))


class TurnedWindow(NamedTuple):
    """N turned rectangles of the crop: centre (N, 2) and size (N, 2) as x, y in pixels, angle (N,) in radians."""

    centre: Tensor
    size: Tensor
    angle: Tensor


def window_around(points: Tensor, left: Tensor, right: Tensor) -> TurnedWindow:
    """Points (N, P, 2) in pixels -> the rectangle around them, WINDOW_MARGIN times as large, in which the line from
    `left` (N, 2) to `right` (N, 2) is level."""
    along = right - left
    angle = torch.atan2(along[:, 1], along[:, 0])
    level = turn(points, -angle)
    low, high = level.amin(1), level.amax(1)
    return TurnedWindow(turn((low + high)[:, None] / 2, angle)[:, 0], (high - low) * WINDOW_MARGIN, angle)


def from_window(points: Tensor, window: TurnedWindow) -> Tensor:
    """Points (N, P, 2) in 0..1 across the window -> pixels of the crop."""
    return turn((points - 0.5) * window.size[:, None], window.angle) + window.centre[:, None]


def sample_windows(features: Tensor, windows: TurnedWindow, count: int = 1, size: int = MESH_SIZE) -> Tensor:
    """Read windows out of feature maps: bilinear, and 0 beyond the centres of the outermost cells, as in MediaPipe.

    `features`: (N, C, H, W), the maps of crops of `size` pixels. `windows`: N * count, those of one crop in a row.
    Returns (N, count * C, CELLS, CELLS).
    """
    ticks = (torch.arange(CELLS, device=features.device, dtype=features.dtype) + 0.5) / CELLS
    cells = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(1, -1, 2)
    grid = from_window(cells, windows).reshape(len(features), count * CELLS, CELLS, 2) * (2 / size) - 1
    inside = (grid.abs() <= 1 - 1 / grid.new_tensor((features.shape[-1], features.shape[-2]))).all(-1)
    samples = F.grid_sample(features, grid, "bilinear", "border", align_corners=False) * inside[:, None]
    samples = samples.unflatten(2, (count, CELLS)).transpose(1, 2).flatten(1, 2)
    return samples.contiguous(memory_format=torch.channels_last)


class GroupedPointwise(nn.Conv2d):
    """1 x 1 convolution in `groups`, done as one batched matrix product: on a CPU half the time of the convolution.

    (N, groups * group_in, H, W) -> (N, groups * group_out, H, W), channels last.
    """

    def __init__(self, groups: int, group_in: int, group_out: int) -> None:
        super().__init__(groups * group_in, groups * group_out, 1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n * height * width, self.groups, self.in_channels // self.groups)
        weight, bias = self.weight.view(self.groups, -1, rows.shape[2]), self.get_parameter("bias")
        out = torch.baddbmm(bias.view(self.groups, 1, -1), rows.transpose(0, 1), weight.mT)
        return out.transpose(0, 1).reshape(n, height, width, self.out_channels).permute(0, 3, 1, 2)


def _take_groups(x: Tensor, groups: int, numbers: Tensor) -> Tensor:
    """(N, groups * C, H, W) and the `numbers` (M,) of groups -> (N, M * C, H, W), channels last."""
    return x.permute(0, 2, 3, 1).unflatten(3, (groups, -1))[..., numbers, :].flatten(3).permute(0, 3, 1, 2)


class GroupedBlazeBlock(nn.Module):
    """`groups` BlazeBlocks with PReLU in one: (N, groups * group_in, H, W) -> (N, groups * group_out, H, W).

    The windows are so small that most of the time is call overhead; grouped, three or five nets take the time of one.
    """

    def __init__(self, groups: int, group_in: int, group_out: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Depthwise(groups * group_in, stride)
        self.pointwise = GroupedPointwise(groups, group_in, group_out)
        self.act = nn.PReLU(groups * group_out)
        self.groups, self.group_in, self.stride = groups, group_in, stride

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(x))
        if self.stride == 2:
            x = F.max_pool2d(x, 2)
        y.unflatten(1, (self.groups, -1))[:, :, : self.group_in].add_(x.unflatten(1, (self.groups, -1)))
        return self.act(y)


class AttentionMesh(nn.Module):
    """(N, 3, 192, 192) in 0..1 -> points (N, 478, 3) and presence logits (N,).

    x and y are pixels of the crop; z has the same scale, grows away from the camera and has no meaningful zero.
    Points 468 to 472 are the iris of the eye at the picture's left, centre first, 473 to 477 the other one; they lie
    at the mean depth of that eye's contour.
    """

    # The windows are cut from the map after this many blocks, which has 48 x 48 cells.
    FEATURES_AFTER = 3
    WINDOW_WIDTHS = (32, 32, 32, 64, 64, 64, 128)
    WINDOW_STRIDED = (2, 5)
    HEAD_BLOCKS, HEAD_STRIDED = 5, 2
    # The points of each window, repeated to equal length, and its two level points (numbers of points); the window of
    # each head; the points of all heads in a row, and the window of each; the contour of each eye.
    window_points: Tensor
    level_points: Tensor
    head_windows: Tensor
    refined_points: Tensor
    refined_windows: Tensor
    eye_contours: Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = (*FaceMesh.WIDTHS, 128)
        self.stem, self.stem_act = nn.Conv2d(3, 16, 3, 2), nn.PReLU(16)
        self.trunk = nn.ModuleList(
            BlazeBlock(a, b, 1 + (i in FaceMesh.STRIDED), prelu=True)
            for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))
        )
        self.narrow = nn.Sequential(Pointwise(128, 32), nn.PReLU(32), BlazeBlock(32, 32, prelu=True))
        self.points, self.presence = Collapse(32, 3 * MESH_POINTS, 3), Collapse(32, 1, 3)
        self.windows = nn.Sequential(
            *(
                GroupedBlazeBlock(len(WINDOWS), a, b, 1 + (i in self.WINDOW_STRIDED))
                for i, (a, b) in enumerate(zip(self.WINDOW_WIDTHS, self.WINDOW_WIDTHS[1:], strict=False))
            )
        )
        count = len(HEADS)
        self.heads = nn.Sequential(
            *(GroupedBlazeBlock(count, 128, 128, 1 + (i == self.HEAD_STRIDED)) for i in range(self.HEAD_BLOCKS)),
            GroupedPointwise(count, 128, 32),
            nn.PReLU(count * 32),
            GroupedBlazeBlock(count, 32, 32),
        )
        self.fine = nn.ModuleList(Collapse(32, 2 * len(points), 2) for points, _ in HEADS)
        most = max(len(points) for points, _, _ in WINDOWS)
        numbers: dict[str, list[Any]] = {
            "window_points": [points + points[:1] * (most - len(points)) for points, _, _ in WINDOWS],
            "level_points": [ends for _, *ends in WINDOWS],
            "head_windows": [window for _, window in HEADS],
            "refined_points": [point for points, _ in HEADS for point in points],
            "refined_windows": [window for points, window in HEADS for _ in points],
            "eye_contours": [_LEFT_EYE[:_CONTOUR], _RIGHT_EYE[:_CONTOUR]],
        }
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features, mesh, presence = self.coarse(x)
        flat = mesh[..., :2]
        left, right = flat[:, self.level_points].flatten(0, 1).unbind(1)
        windows = window_around(flat[:, self.window_points].flatten(0, 1), left, right)
        maps = self.windows(sample_windows(features, windows, len(WINDOWS)))
        heads = self.heads(_take_groups(maps, len(WINDOWS), self.head_windows)).chunk(len(HEADS), 1)
        relative = torch.cat([fine(head) for head, fine in zip(heads, self.fine, strict=True)], 1) / WINDOW_SIZE
        by_crop = (field.unflatten(0, (len(x), len(WINDOWS))) for field in windows)
        by_point = TurnedWindow(*(field[:, self.refined_windows].flatten(0, 1) for field in by_crop))
        refined = from_window(relative.view(-1, 1, 2), by_point)
        points = torch.cat((mesh, mesh.new_empty(len(mesh), len(_LEFT_IRIS + _RIGHT_IRIS), 3)), 1)
        points[:, self.refined_points, :2] = refined.view(len(x), len(self.refined_points), 2)
        points[:, MESH_POINTS:, 2] = mesh[:, self.eye_contours, 2].mean(2).repeat_interleave(len(_LEFT_IRIS), 1)
        return points, presence

    def coarse(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (N, 3, 192, 192) -> the feature maps that windows are cut from (N, 32, 48, 48), the mesh before the
        windows refine it (N, 468, 3), and presence logits (N,)."""
        x = self.stem_act(self.stem(same_padding(x, 3, 2)))
        for block in self.trunk[: self.FEATURES_AFTER]:
            x = block(x)
        features = x.clone()
        for block in self.trunk[self.FEATURES_AFTER :]:
            x = block(x)
        x = self.narrow(x)
        return features, self.points(x).unflatten(1, (MESH_POINTS, 3)), self.presence(x)[:, 0]
