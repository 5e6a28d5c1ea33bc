"""Moving one set of landmarks onto another by a similarity transform.

A similarity (scale, roll, shift, no reflection) is one complex line d = a s + b, so the least-squares fit is a
weighted complex regression (Umeyama 1991 in two dimensions).
"""

from __future__ import annotations

import numpy as np
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
    # Few points in many small steps, which cost less with numpy than with torch.
    s, d = _complex(source), _complex(target)
    spread = float(np.abs(s - s.mean()).max())
    if spread == 0 or float(np.abs(d - d.mean()).max()) == 0:
        which = "source" if spread == 0 else "target"
        raise ValueError(
            f"the {which} landmarks all coincide, so no size or roll can be read from them; detect the face again, or "
            "use another picture"
        )
    a, b = _line(s, d, np.ones(len(s)))
    for _ in range(steps):
        residuals = np.abs(a * s + b - d)
        # The lower of both middle ones: with two points, the nearer.
        scale = np.sort(residuals)[(len(residuals) - 1) // 2]
        if scale <= 1e-9 * spread:
            break
        a, b = _line(s, d, 1 / residuals.clip(1.5 * scale))
    return torch.tensor([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], dtype=torch.float64)


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


def flip(width: int) -> Tensor:
    """The affine map (2, 3) of a picture `width` pixels wide to its mirror image."""
    return torch.tensor([[-1.0, 0, width], [0, 1, 0]], dtype=torch.float64)


def scale_of(matrix: Tensor) -> float:
    """The linear scale of an affine map (2, 3)."""
    return float(torch.linalg.det(matrix[:, :2]).abs().sqrt())


def _complex(points: Tensor) -> np.ndarray:
    return points.detach().to("cpu", torch.float64).contiguous().numpy().view(np.complex128)[:, 0]


def _line(s: np.ndarray, d: np.ndarray, weights: np.ndarray) -> tuple[complex, complex]:
    """Weighted complex regression d = a s + b."""
    total = weights.sum()
    s_mean, d_mean = (weights * s).sum() / total, (weights * d).sum() / total
    s0, d0 = s - s_mean, d - d_mean
    a = (weights * s0.conj() * d0).sum() / (weights * np.abs(s0) ** 2).sum()
    return a, d_mean - a * s_mean
