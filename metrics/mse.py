"""Mean squared error."""

from __future__ import annotations

from torch import Tensor


def mse(one: Tensor, other: Tensor, weights: Tensor | None = None) -> float:
    """The mean squared difference of two pictures.

    `one`, `other`: (H, W, 3), 0..1.
    `weights`: (H, W) >= 0, how much each pixel counts; None: all alike.

    Raises ValueError for pictures of different sizes, and for weights that are 0 everywhere.
    """
    check_sizes(one, other)
    difference = (one.double() - other.double()).square()
    return float(difference.mean()) if weights is None else weighted_mean(difference.mean(-1), weights)


def weighted_mean(values: Tensor, weights: Tensor) -> float:
    """The mean of (H, W) under weights (H, W) >= 0. Raises ValueError for weights that are 0 everywhere."""
    total = float(weights.double().sum())
    if total <= 0:
        raise ValueError("no pixel is left to compare: every weight is 0, as outside a face that fills the picture")
    return float((values * weights.double()).sum()) / total


def check_sizes(one: Tensor, other: Tensor) -> None:
    """Raises ValueError for pictures (H, W, 3) of different sizes."""
    if one.shape != other.shape:
        (h, w), (high, wide) = one.shape[:2], other.shape[:2]
        raise ValueError(
            f"one picture is {w} x {h} pixels and the other {wide} x {high}; to be compared pixel by pixel they must "
            "have the same size"
        )
