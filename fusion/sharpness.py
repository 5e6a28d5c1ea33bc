"""A part in the sharpness and grain of the photograph that it is laid into."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Ratio of the fine textures of two pictures of skin up to which they count as equal.
_ALIKE = 1.3
# Grain is added up to this standard deviation of lightness: more would show as noise on lips and eyes.
_STRONGEST_GRAIN = 1.5
# Share of the missing texture that is added as grain; the rest would be pores and hairs, which cannot be made up.
_GRAIN = 0.6


def in_sharpness_of(target: Tensor, reference: Tensor, skin: Tensor) -> tuple[Tensor, float]:
    """`reference` in the sharpness of `target`, both (h, w, 3) L, a, b, and its texture as a multiple of the target's.

    `skin`: (h, w) >= 0, where textures are read; without any the two count as equal.
    """
    fine = texture(target[..., 0], skin)
    ratio = texture(reference[..., 0], skin) / fine if fine > 0 else 1.0
    return torch.cat([match_sharpness(reference[..., 0], ratio, fine)[..., None], reference[..., 1:]], -1), ratio


def texture(lightness: Tensor, weights: Tensor) -> float:
    """The standard deviation of the finest detail of `lightness` (h, w) under `weights` (h, w) >= 0."""
    fine = lightness - _softened(lightness)
    return float(((fine.square() * weights).sum() / weights.sum().clamp_min(1e-6)).sqrt())


def match_sharpness(lightness: Tensor, ratio: float, fine: float) -> Tensor:
    """`lightness` (h, w) of a part, softened or grained towards its surroundings.

    `ratio`: its texture on skin, as a multiple of the target's.
    `fine`: the target's texture on skin.
    """
    if ratio > _ALIKE:
        return torch.lerp(lightness, _softened(lightness), min(1.0, 1 - _ALIKE / ratio))
    if ratio * _ALIKE < 1:
        missing = fine * (1 - ratio**2) ** 0.5
        noise = torch.randn(lightness.shape, generator=torch.Generator().manual_seed(0))
        return lightness + min(_GRAIN * missing, _STRONGEST_GRAIN) * noise
    return lightness


def _softened(lightness: Tensor) -> Tensor:
    """(h, w) under a binomial of 3 x 3 pixels; the border is repeated."""
    line = torch.tensor([0.25, 0.5, 0.25])
    padded = functional.pad(lightness[None, None], (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, torch.outer(line, line)[None, None])[0, 0]
