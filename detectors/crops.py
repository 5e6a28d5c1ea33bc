"""Resampling for the nets: pictures shrunk without aliasing, and upright square crops of turned faces.

A square is (centre x, centre y, side, angle), in pixels of the picture and radians, clockwise positive. Coordinates
are continuous: pixel (column, row) covers [column, column + 1) x [row, row + 1), in pictures and crops alike.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# MediaPipe's margin around the detector's box and around the mesh (face_landmark graphs, RectTransformation).
MARGIN = 1.5


def shrink(pictures: Tensor, height: int, width: int) -> Tensor:
    """(B, 3, H, W) -> (B, 3, height, width). Every source pixel counts by its share, so nothing aliases."""
    for _ in halves((pictures.shape[-2], pictures.shape[-1]), (height, width))[1:]:
        pictures = _halved(_halved(pictures, -2), -1)
    if pictures.shape[-2:] == (height, width):
        return pictures
    return F.interpolate(pictures, (height, width), mode="bilinear", antialias=True, align_corners=False)


def halves(size: tuple[int, int], goal: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes (H, W) that `shrink` halves pictures of `size` to, on the way to `goal`; `size` itself first."""
    sizes = [size]
    while not (size[0] % 2 or size[1] % 2) and size[0] >= 2 * goal[0] and size[1] >= 2 * goal[1]:
        size = size[0] // 2, size[1] // 2
        sizes.append(size)
    return sizes


def _halved(pictures: Tensor, side: int) -> Tensor:
    """Half as long along one side, with the triangle filter (1, 3, 3, 1) / 8 of F.interpolate, in half the time."""
    length = pictures.shape[side] // 2
    even, odd = pictures.unflatten(side, (length, 2)).unbind(side)
    half = (even + odd).mul_(0.375)
    half.narrow(side, 1, length - 1).add_(odd.narrow(side, 0, length - 1), alpha=0.125)
    half.narrow(side, 0, length - 1).add_(even.narrow(side, 1, length - 1), alpha=0.125)
    # At the two ends the others take over the share of the missing neighbour.
    half.narrow(side, 0, 1).mul_(8 / 7)
    half.narrow(side, length - 1, 1).mul_(8 / 7)
    return half


def squares_of_boxes(corners: Tensor, eyes: Tensor, margin: float = MARGIN) -> Tensor:
    """Boxes (N, 2, 2) and the two eyes (N, 2, 2), picture-left eye first -> squares (N, 4).

    A square around the box's centre, its side the box's longer side times `margin`, turned so that the eyes lie level.
    """
    along = eyes[:, 1] - eyes[:, 0]
    side = (corners[:, 1] - corners[:, 0]).amax(1) * margin
    return torch.cat((corners.mean(1), side[:, None], torch.atan2(along[:, 1], along[:, 0])[:, None]), 1)


def squares_of_points(points: Tensor, left: int, right: int, margin: float = MARGIN) -> Tensor:
    """Meshes (N, P, 2) -> squares (N, 4), turned level by the points `left` and `right` (outer eye corners).

    The box is that of the upright face, so its size does not change when the picture is turned.
    """
    along = points[:, right] - points[:, left]
    angle = torch.atan2(along[:, 1], along[:, 0])
    level = turn(points, -angle)
    low, high = level.amin(1), level.amax(1)
    centre = turn(((low + high) / 2)[:, None], angle)[:, 0]
    return torch.cat((centre, (high - low).amax(1, keepdim=True) * margin, angle[:, None]), 1)


def turn(points: Tensor, angle: Tensor) -> Tensor:
    """Points (N, P, 2) turned clockwise by angle (N,) radians about the origin."""
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    x, y = points.unbind(-1)
    return torch.stack((cos * x - sin * y, sin * x + cos * y), -1)


def to_picture(points: Tensor, squares: Tensor, size: int) -> Tensor:
    """Points (N, P, 2) in pixels of `size` crops -> pixels of the picture."""
    return turn((points / size - 0.5) * squares[:, None, 2:3], squares[:, 3]) + squares[:, None, :2]


def to_crop(points: Tensor, squares: Tensor, size: int) -> Tensor:
    """Points (N, P, 2) in pixels of the picture -> pixels of `size` crops; the inverse of `to_picture`."""
    return (turn(points - squares[:, None, :2], -squares[:, 3]) / squares[:, None, 2:3] + 0.5) * size


def crop(picture: Tensor, square: Tensor, size: int) -> Tensor:
    """One picture (3, H, W), one square (4,) -> (3, size, size). Beyond the picture its edge is repeated.

    The window that the square needs is first halved until it is less than twice as fine as the crop. Bilinear sampling
    then skips none of its pixels.
    """
    height, width = picture.shape[-2:]
    x, y, side, angle = square.tolist()
    cos, sin = math.cos(angle), math.sin(angle)
    reach = side / 2 * (abs(cos) + abs(sin)) + 3 * max(side / size, 1)
    # Lengths that are multiples of it are shrunk by quick halvings alone.
    multiple = 2 ** math.floor(math.log2(max(side / size, 1)))
    x0, x1 = _span(x, reach, width, multiple)
    y0, y1 = _span(y, reach, height, multiple)
    tall, wide = max(round((y1 - y0) / multiple), 1), max(round((x1 - x0) / multiple), 1)
    window = shrink(picture[None, :, y0:y1, x0:x1], tall, wide)
    # Both grids run from -1 to 1: the crop's over the square, the window's over x0..x1 and y0..y1.
    rows = [
        [side * cos / (x1 - x0), -side * sin / (x1 - x0), 2 * (x - x0) / (x1 - x0) - 1],
        [side * sin / (y1 - y0), side * cos / (y1 - y0), 2 * (y - y0) / (y1 - y0) - 1],
    ]
    grid = F.affine_grid(window.new_tensor([rows]), [1, 3, size, size], align_corners=False)
    return F.grid_sample(window, grid, "bilinear", "border", align_corners=False)[0]


def _span(middle: float, reach: float, size: int, multiple: int) -> tuple[int, int]:
    """First pixel and last + 1 within `reach`, a multiple of `multiple` in number where the picture is large enough."""
    low = min(max(math.floor(middle - reach), 0), size - 1)
    high = max(min(math.ceil(middle + reach), size), low + 1)
    more = -(high - low) % multiple
    high, more = min(high + more, size), max(high + more - size, 0)
    return max(low - more, 0), high
