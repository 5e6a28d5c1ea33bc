"""Boxes (x0, y0, x1, y1) in pixels: corners, centre, the box around points, and the pixels that a box covers."""

from __future__ import annotations

import torch
from torch import Tensor

Box = tuple[float, float, float, float]
# A box of whole pixels inside a picture: x0, y0, x1, y1, with x1 and y1 one beyond the last pixel.
Window = tuple[int, int, int, int]


def corners_of(box: Box, dtype: torch.dtype = torch.float32) -> Tensor:
    """The four corners (4, 2), x and y, from the top left on, clockwise in the picture."""
    x0, y0, x1, y1 = box
    return torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=dtype)


def centre_of(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def bounding_box(points: Tensor) -> Box:
    """The smallest box around points (N, 2), N >= 1."""
    (x0, y0), (x1, y1) = points.amin(0).tolist(), points.amax(0).tolist()
    return x0, y0, x1, y1


def window_of(box: Box, size: tuple[int, int], margin: float = 0.0) -> Window | None:
    """The pixels that `box` and `margin` pixels around it cover, clipped to a picture of `size` (H, W).

    None when the picture holds none of them.
    """
    x0, y0 = max(0, int(box[0] - margin)), max(0, int(box[1] - margin))
    x1, y1 = min(size[1], int(box[2] + margin) + 1), min(size[0], int(box[3] + margin) + 1)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def pixel_span(low: float, high: float, length: int, margin: int) -> tuple[int, int]:
    """First pixel and last + 1 of what low..high and `margin` around it cover of `length` pixels; at least one."""
    first = min(max(int(low) - margin, 0), length - 1)
    return first, max(min(int(high) + margin + 1, length), first + 1)
