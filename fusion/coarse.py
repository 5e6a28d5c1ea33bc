"""Maps at a few samples per eye distance, for what is broad anyway: light, shades, the course of an edge."""

from __future__ import annotations

from collections.abc import Sequence

import torch
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


def gaussian(stack: Tensor, sigma: float) -> Tensor:
    """(1, C, h, w) under a Gaussian of `sigma` samples; beyond the map there is nothing."""
    return _weights(stack.shape[2], sigma) @ stack @ _weights(stack.shape[3], sigma)


def _weights(count: int, sigma: float) -> Tensor:
    """(count, count): the weight of each of so many samples in a row for each other one."""
    reach = max(1, int(2.5 * sigma))
    weights = torch.exp(-0.5 * (torch.arange(max(count, reach + 1)) / max(sigma, 1e-3)) ** 2)
    weights[reach + 1 :] = 0
    away = (torch.arange(count)[:, None] - torch.arange(count)).abs()
    return weights[away] / (2 * weights.sum() - weights[0])
