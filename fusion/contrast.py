"""Hard light on bare skin, softened to the contrast that the target's own skin shows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .coarse import coarse_size, enlarged, shrunk
from .light import spread

# Samples per eye distance on which shades are read, and the width in eye distances of what counts as one shade.
_SAMPLES, _WIDTH = 32, 0.12
# A change of lightness of this many steps of L within that width is the edge of a shadow, which is lifted along it.
_EDGE = 5.0
# Spread of the shades, in steps of L, that skin has in soft light too, and the least share of a spread that stays.
_SOFT_LIGHT, _LEAST = 5.0, 0.25
# Another nose may have this much more contrast in the same light.
_MORE = 1.2


def soften(
    reference: Tensor, target: Tensor, skin: Tensor, part: Tensor, unit: float, amount: float
) -> tuple[Tensor, float]:
    """`reference` with shades of no more contrast than the target's, and how hard its light was.

    Pores and creases stay. Hardness is the contrast that its shades had as a multiple of the target's, or of soft
    light's where that is more.

    `reference`, `target`: (h, w, 3) L, a, b of the same window, broad light already alike.
    `skin`: (h, w), 0..1, 1 where both show bare skin.
    `part`: (h, w), 0..1, 1 inside the part.
    `unit`: pixels per eye distance.
    `amount`: 0..1, share of what is too much that is taken away.
    """
    size = coarse_size(skin.shape, unit, _SAMPLES)
    width = 2 * round(_WIDTH * unit * size[0] / skin.shape[0] / 2) + 1
    both = torch.cat([reference, target, torch.ones_like(skin)[..., None], part[..., None]], -1) * skin[..., None]
    both = shrunk(both, size)[0]
    share, inside = both[6], both[7]
    own, others = both[:6].div(share.clamp_min(1e-3)).split(3)
    fit = _fit(own, share, width)
    of_target = _shades(_fit(others, share, width), others[0])
    own_spread, others_spread = spread(_shades(fit, own[0])[0], inside), spread(of_target[0], inside)
    hardness = own_spread / max(others_spread, _SOFT_LIGHT / _MORE)
    if hardness <= _MORE:
        return reference, hardness
    mean = (of_target * inside).sum((1, 2)) / inside.sum().clamp_min(1e-6)
    shades = _shades(enlarged(fit[None], skin.shape).permute(2, 0, 1), reference[..., 0]).permute(1, 2, 0)
    excess = 1 - max(_MORE / hardness, _LEAST)
    return reference - amount * excess * (shades - mean) * skin[..., None], hardness


def _shades(fit: Tensor, lightness: Tensor) -> Tensor:
    """The shades (3, h, w) in L, a and b of pixels of a lightness (h, w); `fit`: (6, h, w), of `_fit`."""
    slope, offset = fit.split(3)
    return slope * lightness + offset


def _fit(picture: Tensor, share: Tensor, width: int) -> Tensor:
    """Slope and offset (6, h, w) of L, a and b by L, as the guided filter has them (He, Sun and Tang, 2010).

    `picture`: (3, h, w).
    `share`: (h, w), 0..1, how far each pixel counts.
    `width`: of a box in pixels, odd.
    """

    def mean(values: Tensor) -> Tensor:
        sums = functional.avg_pool2d(torch.cat([values * share, share[None]])[None], width, 1, width // 2)[0]
        return sums[:-1] / sums[-1].clamp_min(1e-4)

    middle = mean(picture)
    covariance = mean(picture * picture[:1]) - middle * middle[:1]
    slope = covariance / (covariance[:1].clamp_min(0) + _EDGE**2)
    return mean(torch.cat([slope, middle - slope * middle[:1]]))
