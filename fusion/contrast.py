"""Hard light on bare skin, softened to the contrast that the target's own skin shows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Samples per eye distance on which shades are read, and the width in eye distances of what counts as one shade.
_SAMPLES, _WIDTH = 32, 0.12
# A change of lightness of this many steps of L within that width is the edge of a shadow, which is lifted along it.
_EDGE = 5.0
# Spread of the shades, in steps of L, that skin has in soft light too, and the least share of a spread that stays.
_SOFT_LIGHT, _LEAST = 5.0, 0.25
# Another nose may have this much more contrast in the same light.
_MORE = 1.2


def soften(reference: Tensor, target: Tensor, skin: Tensor, part: Tensor, unit: float, amount: float) -> Tensor:
    """`reference` with shades of no more contrast than the target's; pores and creases stay.

    `reference`, `target`: (h, w, 3) L, a, b of the same window, broad light already alike.
    `skin`: (h, w), 0..1, 1 where both show bare skin.
    `part`: (h, w), 0..1, 1 inside the part.
    `unit`: pixels per eye distance.
    `amount`: 0..1, share of what is too much that is taken away.
    """
    step = max(1.0, unit / _SAMPLES)
    size = max(4, round(skin.shape[0] / step)), max(4, round(skin.shape[1] / step))
    width = 2 * round(_WIDTH * unit / step / 2) + 1
    both = torch.cat([reference, target, torch.ones_like(skin)[..., None], part[..., None]], -1) * skin[..., None]
    both = functional.interpolate(both.permute(2, 0, 1)[None], size, mode="area")[0]
    share, inside = both[6], both[7]
    own, others = both[:6].div(share.clamp_min(1e-3)).split(3)
    slope, offset = _shades(own, share, width)
    of_target = _applied(_shades(others, share, width), others[0])
    spread, limit = _spread((slope * own[0] + offset)[0], inside), _MORE * _spread(of_target[0], inside)
    if spread <= max(limit, _SOFT_LIGHT):
        return reference
    kept = max(limit, _SOFT_LIGHT) / spread
    mean = (of_target * inside).sum((1, 2)) / inside.sum().clamp_min(1e-6)
    full = functional.interpolate(torch.cat([slope, offset])[None], skin.shape, mode="bilinear", align_corners=False)
    shades = _applied(full[0].split(3), reference[..., 0]).permute(1, 2, 0)
    return reference - amount * (1 - max(kept, _LEAST)) * (shades - mean) * skin[..., None]


def _applied(fit: tuple[Tensor, ...], lightness: Tensor) -> Tensor:
    """The shades (3, h, w) of pictures of this lightness."""
    slope, offset = fit
    return slope * lightness + offset


def _shades(picture: Tensor, share: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Slope and offset, (3, h, w) each, of L, a and b by L, as the guided filter has them (He, Sun and Tang, 2010).

    `picture`: (3, h, w).
    `share`: (h, w), 0..1, how far each pixel counts.
    `width`: of a box in pixels, odd.
    """

    def mean(values: Tensor) -> Tensor:
        sums = functional.avg_pool2d(torch.cat([values * share, share[None]])[None], width, 1, width // 2)[0]
        return sums[:-1] / sums[-1].clamp_min(1e-4)

    lightness = picture[:1]
    middle, products = mean(picture), mean(picture * lightness)
    slope = (products - middle * middle[:1]) / ((products - middle * middle[:1])[:1].clamp_min(0) + _EDGE**2)
    return tuple(mean(one) for one in (slope, middle - slope * middle[:1]))  # type: ignore[return-value]


def _spread(values: Tensor, weights: Tensor) -> float:
    """The standard deviation of values (h, w) under weights (h, w) >= 0."""
    total = weights.sum().clamp_min(1e-6)
    mean = (values * weights).sum() / total
    return float((((values - mean).square() * weights).sum() / total).sqrt())
