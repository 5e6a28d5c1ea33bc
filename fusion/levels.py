"""Dark and light of a part, as far from the skin around it as the target's own part shows them."""

from __future__ import annotations

import torch
from torch import Tensor

# The shares of a part's pixels whose lightness is compared, and how far each is moved to the target's: the ends belong
# to the light, what lies between is the colour of an iris, too.
_SHARES = (0.04, 0.25, 0.5, 0.75, 0.96)
_MOVED = (1.0, 0.6, 0.6, 0.6, 1.0)
# How steep the curve of lightness is at least and at most.
_FLAT, _STEEP = 0.5, 2.0
# Depth of a shadow, in steps of L, below which its colour is the skin's already.
_DEEP = 8.0
# Shades of colour may differ from skin by this multiple of what the target's do, and by so many steps of a and b in any
# case.
_MORE_COLOUR, _LEAST_COLOUR = 2.0, 2.5
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


def match_colours(reference: Tensor, target: Tensor, skin: Tensor, own: Tensor) -> Tensor:
    """`reference` with shades of colour that differ from skin by little more than the target's do.

    `reference`, `target`, `skin`: (h, w, 3) L, a, b of the same window, as for `match_levels`.
    `own`: (h, w) bool, the part.
    """
    if not own.any():
        return reference
    shades = reference[..., 1:] - skin[..., 1:]
    spread, others = (one[own].square().mean().sqrt() for one in (shades, target[..., 1:] - skin[..., 1:]))
    factor = (_MORE_COLOUR * others.clamp_min(_LEAST_COLOUR) / spread.clamp_min(1e-3)).clamp_max(1)
    return torch.cat([reference[..., :1], skin[..., 1:] + factor * shades], -1)


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
