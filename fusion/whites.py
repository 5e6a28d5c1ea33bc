"""Teeth and the white of eyes in the colour and lightness that the target's own have, which tell of its light."""

from __future__ import annotations

import torch
from torch import Tensor

from .light import chroma_of
from .outline import smoothstep

# Lightness and chroma as shares of the skin's from which, and below which, a pixel counts as white, with their ramps.
_LIGHT, _LIGHT_RAMP = 0.75, 0.2
_COLOUR, _COLOUR_RAMP = 0.95, 0.3
# Chroma of skin below which nothing can be told from it by colour.
_NEUTRAL = 8.0
# Share of a part that is white from which its white is known, and over which the match fades in.
_SOME, _SOME_RAMP = 0.03, 0.05
# The share of the difference that is taken over, and the largest shift in steps of L, a and b.
_MATCHED, _LARGEST = 0.7, 15.0


def match_whites(reference: Tensor, target: Tensor, skin: Tensor, own: Tensor, others: Tensor) -> Tensor:
    """`reference` with its whites shifted to the target's; as it is where one of the two shows none.

    `reference`, `target`: (h, w, 3) L, a, b of the same window, broad light already alike.
    `skin`: (h, w, 3), the broad L, a, b of the target's skin.
    `own`, `others`: (h, w) bool, what the part covers on the reference and on the target.
    """
    if not own.any() or not others.any():
        return reference
    white = _whiteness(reference, skin)
    weights, others_weights = white * own, _whiteness(target, skin) * others
    shares = torch.stack([weights.sum() / own.sum(), others_weights.sum() / others.sum()])
    known = smoothstep((shares - _SOME) / _SOME_RAMP).prod()
    shift = _mean(target, others_weights) - _mean(reference, weights)
    return reference + _MATCHED * known * white[..., None] * shift.clamp(-_LARGEST, _LARGEST)


def _whiteness(lab: Tensor, skin: Tensor) -> Tensor:
    """(h, w), 0..1."""
    chroma, of_skin = chroma_of(lab), chroma_of(skin)
    light = smoothstep((lab[..., 0] / skin[..., 0].clamp_min(1) - _LIGHT) / _LIGHT_RAMP)
    pale = smoothstep((_COLOUR - chroma / of_skin.clamp_min(_NEUTRAL)) / _COLOUR_RAMP)
    return light * pale * (of_skin > _NEUTRAL)


def _mean(lab: Tensor, weights: Tensor) -> Tensor:
    """(3,)."""
    return (lab * weights[..., None]).sum((0, 1)) / weights.sum().clamp_min(1e-6)
