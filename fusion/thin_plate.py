"""Smooth maps through corresponding points: thin plate splines (Duchon 1976; Bookstein 1989)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def thin_plate(source: Tensor, target: Tensor, slack: float = 0.0) -> Callable[[Tensor], Tensor]:
    """The smoothest map of the plane that takes `source` to `target`; an affine map stays exactly affine.

    `source`, `target`: (K, 2), any unit, K >= 3, not on one line; without slack no two are equal.
    `slack`: 0 meets every point; larger ones follow noisy points less.

    Returns a function from points (..., 2) to points (..., 2) float64.
    """
    source, target = source.double(), target.double()
    middle = source.mean(0)
    spread = (source - middle).norm(dim=1).mean()
    knots = (source - middle) / spread
    count = len(knots)
    bending = _bending(knots, knots) + slack * torch.eye(count, dtype=torch.float64)
    flat = torch.cat([torch.ones(count, 1, dtype=torch.float64), knots], 1)
    system = torch.cat([torch.cat([bending, flat], 1), torch.cat([flat.T, torch.zeros(3, 3).double()], 1)])
    weights = torch.linalg.lstsq(system, torch.cat([target, torch.zeros(3, 2).double()])).solution

    def mapped(points: Tensor) -> Tensor:
        at = ((points.double() - middle) / spread).reshape(-1, 2)
        result = _bending(at, knots) @ weights[:count] + weights[count] + at @ weights[count + 1 :]
        return result.reshape(points.shape)

    return mapped


def _bending(a: Tensor, b: Tensor) -> Tensor:
    """(A, B): r^2 log r of the distances between two sets of points."""
    squared = (a[:, :1] - b[:, 0]).square_() + (a[:, 1:] - b[:, 1]).square_()
    return squared * squared.clamp_min(1e-12).log_() / 2
