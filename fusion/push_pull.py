"""Holes of a picture filled smoothly from their surroundings (push-pull, Gortler et al. 1996, "The Lumigraph")."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Weight of a pixel below which what a coarser level says shows through.
_ENOUGH = 0.6


def fill_holes(picture: Tensor, weights: Tensor) -> Tensor:
    """The picture as its known pixels say; each pixel without weight takes the mean of the nearest known ones.

    `picture`: (H, W, C) float32.
    `weights`: (H, W), 0..1, 1 = known.

    Returns (H, W, C): `picture` where the weight is 1. Where no pixel has weight the result is the picture itself, so
    that nothing turns black.
    """
    if not bool((weights > 0).any()):
        return picture
    values = (picture * weights[..., None]).permute(2, 0, 1)[None]
    filled = _filled(values, weights[None, None])
    return torch.lerp(filled[0].permute(1, 2, 0), picture, weights[..., None])


def _filled(values: Tensor, weights: Tensor) -> Tensor:
    """`values` (1, C, h, w) are already multiplied by their `weights` (1, 1, h, w); returns the plain ones."""
    height, width = weights.shape[-2:]
    own = values / weights.clamp_min(1e-6)
    if max(height, width) <= 2:
        return torch.where(weights > 0, own, values.sum((2, 3), keepdim=True) / weights.sum().clamp_min(1e-6))
    smaller = [functional.avg_pool2d(t, 2, ceil_mode=True, count_include_pad=False) for t in (values, weights)]
    # A coarse pixel that saw anything counts wholly from a quarter of its area on.
    raised = (smaller[1] * 4).clamp(max=1)
    coarse = _filled(smaller[0] / smaller[1].clamp_min(1e-6) * raised, raised)
    coarse = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    share = (weights / _ENOUGH).clamp(max=1)
    return torch.lerp(coarse, own, share)
