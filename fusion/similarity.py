"""Laying one set of landmarks over another: similarity transforms, global or varying from place to place.

A similarity (scale, roll, shift, no reflection) is one complex line d = a s + b, so the least-squares fit is a
weighted complex regression (Umeyama 1991 in two dimensions).
"""

from __future__ import annotations

import torch
from torch import Tensor


def fit_similarity(source: Tensor, target: Tensor, steps: int = 8) -> Tensor:
    """The similarity that lays `source` over `target`, both (K, 2) pixels with K >= 2 -> (2, 3) float64.

    Robust (Huber weights, reweighted `steps` times; 0: plain least squares): a few points far off, such as a raised
    lid, do not turn the part. Raises ValueError when the counts differ or all points of one side coincide.
    """
    if source.shape != target.shape or len(source) < 2:
        raise ValueError(
            f"a similarity needs two equal sets of at least two points; came {len(source)} and {len(target)}"
        )
    s, d = _complex(source), _complex(target)
    spread = float((s - s.mean()).abs().max())
    if spread == 0 or float((d - d.mean()).abs().max()) == 0:
        which = "source" if spread == 0 else "target"
        raise ValueError(f"the {which} landmarks all coincide, so no size or roll can be read from them")
    a, b = _line(s, d, torch.ones(len(s), dtype=torch.float64))
    for _ in range(steps):
        rest = (a * s + b - d).abs()
        scale = rest.median()
        if float(scale) <= 1e-9 * spread:
            break
        a, b = _line(s, d, 1 / rest.clamp_min(1.5 * scale))
    return _matrix(a, b)


def invert_affine(matrix: Tensor) -> Tensor:
    """The inverse of an affine map (..., 2, 3), same type."""
    linear = torch.linalg.inv(matrix[..., :2])
    return torch.cat([linear, -linear @ matrix[..., 2:]], -1)


def apply_affine(matrix: Tensor, points: Tensor) -> Tensor:
    """(2, 3) on (..., 2) pixels -> (..., 2) in the points' type."""
    return (points.to(matrix.dtype) @ matrix[:, :2].T + matrix[:, 2]).to(points.dtype)


def scale_of(matrix: Tensor) -> float:
    """The linear scale of an affine map (2, 3)."""
    return float(torch.linalg.det(matrix[:, :2]).abs().sqrt())


def moving_similarity(source: Tensor, target: Tensor, places: Tensor) -> Tensor:
    """Where each of `places` (..., 2) goes when `source` landmarks go exactly to `target`, both (K, 2).

    Every place has its own similarity, fitted with weights 1 / distance^2 to the source landmarks (moving least
    squares, Schaefer et al. 2006, section 2.2).
    """
    s, d = _complex(source), _complex(target)
    v = _complex(places)
    weights = 1 / ((v[..., None] - s).abs() ** 2 + 1e-4)
    a, b = _line(s, d, weights)
    moved = a * v + b
    return torch.stack([moved.real, moved.imag], -1).to(places.dtype)


def _complex(points: Tensor) -> Tensor:
    return torch.view_as_complex(points.to(torch.float64).contiguous())


def _line(s: Tensor, d: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted complex regression d = a s + b over the last axis."""
    total = weights.sum(-1)
    s_mean = (weights * s).sum(-1) / total
    d_mean = (weights * d).sum(-1) / total
    s0, d0 = s - s_mean[..., None], d - d_mean[..., None]
    a = (weights * s0.conj() * d0).sum(-1) / (weights * s0.abs() ** 2).sum(-1)
    return a, d_mean - a * s_mean


def _matrix(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([torch.stack([a.real, -a.imag, b.real]), torch.stack([a.imag, a.real, b.imag])])
