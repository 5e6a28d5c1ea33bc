"""Colour transfer by principal components: one picture with the mean and the covariance of another's colours."""

from __future__ import annotations

import torch
from torch import Tensor

# As published: added to each variance, so that a picture of one colour can be divided by it.
EPSILON = 1e-5


def transfer_colours(picture: Tensor, target: Tensor) -> Tensor:
    """`picture` with the mean and the covariance of the colours of `target`.

    `picture`, `target`: (H, W, 3), 0..1.

    Returns (H, W, 3) float32, not limited to 0..1.
    """
    own, other = (each.reshape(-1, 3).double() for each in (picture, target))
    turn = _root(own, -0.5) @ _root(other, 0.5)
    return ((own - own.mean(0)) @ turn + other.mean(0)).float().reshape(picture.shape)


def _root(colours: Tensor, power: float) -> Tensor:
    """(3, 3): the covariance of the colours (N, 3), with EPSILON on its diagonal, to a power."""
    covariance = colours.T.cov(correction=0) + EPSILON * torch.eye(3, dtype=colours.dtype)
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.clamp_min(0) ** power) @ vectors.T
