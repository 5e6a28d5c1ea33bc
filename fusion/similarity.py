"""Moving one set of landmarks onto another by a similarity transform.

A similarity (scale, roll, shift, no reflection) is one complex line d = a s + b, so the least-squares fit is a
weighted complex regression (Umeyama 1991 in two dimensions).
"""

from __future__ import annotations

import torch
from torch import Tensor


def fit_similarity(source: Tensor, target: Tensor, steps: int = 8) -> Tensor:
    """The similarity that moves `source` onto `target`.

    The fit is robust: a few points far off, such as a raised lid, do not turn the part.

    `source`, `target`: (K, 2) float, pixels, K >= 2.
    `steps`: how often the points are reweighted (Huber weights); 0 is the plain least-squares fit.

    Returns (2, 3) float64. Raises ValueError when the counts differ or all points of one side coincide.
    """
    if source.shape != target.shape or len(source) < 2:
        raise ValueError(
            f"a similarity needs two equal sets of at least two points; came {len(source)} and {len(target)}"
        )
    s, d = _complex(source), _complex(target)
    spread = float((s - s.mean()).abs().max())
    if spread == 0 or float((d - d.mean()).abs().max()) == 0:
        which = "source" if spread == 0 else "target"
        raise ValueError(
            f"the {which} landmarks all coincide, so no size or roll can be read from them; detect the face again, or "
            "use another picture"
        )
    a, b = _line(s, d, torch.ones(len(s), dtype=torch.float64))
    for _ in range(steps):
        residuals = (a * s + b - d).abs()
        scale = residuals.median()
        if float(scale) <= 1e-9 * spread:
            break
        a, b = _line(s, d, 1 / residuals.clamp_min(1.5 * scale))
    return _matrix(a, b)


def invert_affine(matrix: Tensor) -> Tensor:
    """The inverse of an affine map (..., 2, 3), in the same dtype."""
    linear = torch.linalg.inv(matrix[..., :2])
    return torch.cat([linear, -linear @ matrix[..., 2:]], -1)


def apply_affine(matrix: Tensor, points: Tensor) -> Tensor:
    """`points` (..., 2) under the affine map (2, 3), in the points' dtype."""
    return (points.to(matrix.dtype) @ matrix[:, :2].T + matrix[:, 2]).to(points.dtype)


def compose_affine(second: Tensor, first: Tensor) -> Tensor:
    """The affine map (2, 3) that applies `first` and then `second`."""
    return torch.cat([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2:] + second[:, 2:]], 1)


def scale_of(matrix: Tensor) -> float:
    """The linear scale of an affine map (2, 3)."""
    return float(torch.linalg.det(matrix[:, :2]).abs().sqrt())


def _complex(points: Tensor) -> Tensor:
    return torch.view_as_complex(points.to(torch.float64).contiguous())


def _line(s: Tensor, d: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted complex regression d = a s + b."""
    total = weights.sum()
    s_mean, d_mean = (weights * s).sum() / total, (weights * d).sum() / total
    s0, d0 = s - s_mean, d - d_mean
    a = (weights * s0.conj() * d0).sum() / (weights * s0.abs() ** 2).sum()
    return a, d_mean - a * s_mean


def _matrix(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([torch.stack([a.real, -a.imag, b.real]), torch.stack([a.imag, a.real, b.imag])])
