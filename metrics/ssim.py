"""Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004)."""

from __future__ import annotations

import torch
from torch import Tensor

from .mse import check_sizes, weighted_mean

# Standard deviation of the Gaussian window and its reach, in pixels; constants for values in 0..1. All as published.
_SIGMA, _REACH = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(one: Tensor, other: Tensor, weights: Tensor | None = None) -> float:
    """-1..1, 1 for the same picture: the mean over channels, and over pixels at least 5 from the border.

    Arguments and errors are those of `mse`; also raises ValueError for pictures below 11 pixels.
    """
    return mean_similarity(similarity_map(one, other), weights)


def mean_similarity(similarity: Tensor, weights: Tensor | None = None) -> float:
    """SSIM of a map of `similarity_map`. `weights`: (H, W) >= 0 of the picture; None: all pixels alike."""
    if weights is None:
        return float(similarity.mean())
    return weighted_mean(similarity, weights[_REACH:-_REACH, _REACH:-_REACH])


def similarity_map(one: Tensor, other: Tensor) -> Tensor:
    """(H - 10, W - 10) float64: the similarity of two pictures (H, W, 3), 0..1, around each pixel.

    Raises ValueError for pictures of two sizes, and below 11 pixels.
    """
    check_sizes(one, other)
    if min(one.shape[:2]) <= 2 * _REACH:
        size = f"{one.shape[1]} x {one.shape[0]}"
        raise ValueError(f"SSIM needs pictures of at least {2 * _REACH + 1} pixels; came {size}")
    x, y = (picture.double().movedim(-1, 0) for picture in (one, other))
    mean_x, mean_y, square_x, square_y, product = _blurred(torch.stack([x, y, x * x, y * y, x * y]))
    var_x, var_y, both = square_x - mean_x**2, square_y - mean_y**2, product - mean_x * mean_y
    light = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (light * (2 * both + _C2) / (var_x + var_y + _C2)).mean(0)


def _blurred(x: Tensor) -> Tensor:
    """(..., H, W) -> (..., H - 10, W - 10). Sums of shifted copies: convolutions of float64 take five times as long."""
    line = torch.exp(-0.5 * (torch.arange(-_REACH, _REACH + 1, dtype=x.dtype) / _SIGMA) ** 2)
    line = line / line.sum()
    for axis in (-2, -1):
        length = x.shape[axis] - 2 * _REACH
        total = x.narrow(axis, 0, length) * line[0]
        for shift in range(1, len(line)):
            total.add_(x.narrow(axis, shift, length), alpha=float(line[shift]))
        x = total
    return x
