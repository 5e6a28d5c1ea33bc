"""Maps at a few samples per eye distance, for what is broad anyway: light, shades, the course of an edge."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def coarse_size(size: Sequence[int], unit: float, samples: int) -> tuple[int, int]:
    """Rows and columns of a map of `size` (h, w) pixels at so many samples per eye distance, and no more than pixels.

    `unit`: pixels per eye distance.
    """
    step = max(1.0, unit / samples)
    return max(4, round(size[0] / step)), max(4, round(size[1] / step))


def shrunk(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(h, w, C) -> (1, C, *size), each sample the mean of the pixels that it stands for."""
    return functional.interpolate(picture.permute(2, 0, 1)[None], size, mode="area")


def enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(1, C, rows, columns) -> (h, w, C) of `size` (h, w), bilinear."""
    size = (size[0], size[1])
    return functional.interpolate(maps, size, mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
