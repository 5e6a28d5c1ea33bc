"""Dark and light of a part, as far from the skin around it as the target's own part shows them."""

from __future__ import annotations

import torch
from torch import Tensor

from .coarse import coarse_size, enlarged, gaussian, shrunk

# The shares of a part's pixels whose lightness is compared, and how far each is moved to the target's: the ends belong
# to the light, what lies between is the colour of an iris, too.
_SHARES = (0.04, 0.25, 0.5, 0.75, 0.96)
_MOVED = (1.0, 0.6, 0.6, 0.6, 1.0)
# How steep the curve of lightness is at least and at most.
_FLAT, _STEEP = 0.5, 2.0
# Depth of a shadow, in steps of L, below which its colour is the skin's already.
_DEEP = 8.0
# Width in eye distances of what counts as a shade of colour, samples per eye distance on which it is read, and the
# least share of a place that must be the part.
_SHADE, _SAMPLES, _LEAST_SHARE = 0.05, 48, 1e-2
# Steps of L by which a target's shades must differ for their colours to be read, and the most by which a and b change
# with L.
_LEAST_SHADE, _STEEPEST = 2.0, 0.6
# Off that line shades may be this multiple of what the target's mostly are, and so many steps of a and b in any case.
_MORE_COLOUR, _LEAST_COLOUR = 2.8, 1.0
# Share of an eye's pixels that are darker than its white.
_WHITE_OF_EYE = 0.75
# Steps of L below which levels of one part do not count as apart, and by which the same level of two parts differs at
# most where they count as alike.
_APART, _ALIKE = 0.5, 1.5
# The latter on skin, whose shape shows in its levels.
_ALIKE_SKIN = 8.0


def match_levels(
    reference: Tensor,
    target: Tensor,
    skin: Tensor,
    own: Tensor,
    others: Tensor,
    weaker_only: bool,
) -> Tensor:
    """`reference` with its lightness moved to the levels of the target's part.

    Levels are quantiles of what a part's lightness differs by from skin.

    `reference`, `target`: (h, w, 3) L, a, b of the same window, broad light already alike.
    `skin`: (h, w, 3), the broad L, a, b of the target's skin.
    `own`, `others`: (h, w) bool, what the part covers on the reference and on the target.
    `weaker_only`: whether levels come nearer to skin alone, as those of a part that is skin.
    """
    if not own.any() or not others.any():
        return reference
    difference = reference[..., 0] - skin[..., 0]
    shares = torch.tensor(_SHARES)
    levels = difference[own].quantile(shares)
    change = torch.tensor(_MOVED) * ((target[..., 0] - skin[..., 0])[others].quantile(shares) - levels)
    alike = _ALIKE_SKIN if weaker_only else _ALIKE
    goal = levels + change - change.clamp(-alike, alike)
    if weaker_only:
        goal = torch.where(goal.abs() < levels.abs(), goal, levels)
    steepness = ((goal.diff() + _APART) / (levels.diff() + _APART)).clamp(_FLAT, _STEEP)
    curve = torch.cat([torch.zeros(1), (steepness * levels.diff()).cumsum(0)])
    curve = curve + (goal - curve).mean()
    segment = torch.bucketize(difference.contiguous(), levels[1:-1].contiguous())
    shades = curve[segment] + (difference - levels[segment]) * steepness[segment]
    lightness = skin[..., 0] + shades
    if not weaker_only:
        return torch.cat([lightness[..., None], reference[..., 1:]], -1)
    # A shadow that is lifted comes out of the dark in the colour of the skin.
    lifted = difference.abs() - shades.abs()
    towards_skin = (lifted / difference.abs().clamp_min(_DEEP)).clamp(0, 1)
    colour = torch.lerp(reference[..., 1:], skin[..., 1:], towards_skin[..., None])
    return torch.cat([lightness[..., None], colour], -1)


def match_colours(reference: Tensor, target: Tensor, skin: Tensor, own: Tensor, unit: float) -> Tensor:
    """`reference` whose shades have the colours that shades of the target's part have; fine texture stays.

    What a shade differs by from skin in a and b follows what it differs by in L, on a line that is read from the
    target. Off that line they go no farther than the target's do at the same place, or mostly do, however red, grey or
    violet they were.

    `reference`, `target`, `skin`: (h, w, 3) L, a, b of the same window, as for `match_levels`.
    `own`: (h, w), 0..1, how far a pixel is the part.
    `unit`: pixels per eye distance.
    """
    size = coarse_size(own.shape, unit, _SAMPLES)
    width = _SHADE * unit * size[0] / own.shape[0]
    shades, _ = _broad(reference - skin, own, size, width)
    of_target, share = _broad(target - skin, own, size, width)
    light, spread = of_target[:, :1], of_target[:, :1].square() + _LEAST_SHADE**2
    slope = _mean(light * of_target[:, 1:], share) / _mean(spread, share).clamp_min(1e-6)
    slope = slope.clamp(-_STEEPEST, _STEEPEST)
    off, usual = (shade[:, 1:] - slope * shade[:, :1] for shade in (shades, of_target))
    strength, others_strength = (one.norm(dim=1, keepdim=True) for one in (off, usual))
    limit = _MORE_COLOUR * _mean(others_strength.square(), share).sqrt().clamp_min(_LEAST_COLOUR)
    excess = (1 - torch.maximum(limit, others_strength) / strength.clamp_min(1e-3)).clamp_min(0)
    change = enlarged(excess * off, own.shape) * own[..., None]
    return torch.cat([reference[..., :1], reference[..., 1:] - change], -1)


def _broad(shades: Tensor, share: Tensor, size: tuple[int, int], width: float) -> tuple[Tensor, Tensor]:
    """Shades (1, 3, rows, columns) under a Gaussian of `width` samples, and the share (1, 1, ...) they are read from.

    `shades`: (h, w, 3).
    `share`: (h, w), 0..1, how far each pixel counts.
    """
    stack = shrunk(torch.cat([shades * share[..., None], share[..., None]], -1), size)
    blurred = gaussian(stack, width)
    return blurred[:, :3] / blurred[:, 3:].clamp_min(_LEAST_SHARE), stack[:, 3:]


def _mean(values: Tensor, share: Tensor) -> Tensor:
    """(1, C, 1, 1), of (1, C, h, w) under shares (1, 1, h, w)."""
    return (values * share).sum((2, 3), keepdim=True) / share.sum().clamp_min(1e-6)


def shade_of_eye(reference: Tensor, skin: Tensor, own: Tensor) -> float:
    """The lightness of an eye's white as a share of that of the skin around it; 1 where the eye is not seen.

    Small where an eye lies in deep shadow or is closed over dark lashes.

    `reference`: (h, w, 3) L, a, b.
    `skin`: (h, w, 3), the broad L, a, b of its skin.
    `own`: (h, w), 0..1, 1 inside the eye's outline.
    """
    visible = own > 0.5
    if not visible.any():
        return 1.0
    return float((reference[..., 0] / skin[..., 0].clamp_min(1))[visible].quantile(_WHITE_OF_EYE))
