"""Lips as warm beside their skin as the target's: those of a darker face would be violet on a lighter one."""

from __future__ import annotations

import torch
from torch import Tensor

from .light import chroma_of
from .outline import smoothstep

# Chroma as a share of the skin's from which a pixel counts as lip and not as tooth, and how much lighter than skin, as
# a share, a lip is at most; with their ramps.
_COLOUR, _COLOUR_RAMP = 0.45, 0.3
_LIGHTER, _LIGHTER_RAMP = 0.15, 0.2
# Chroma of skin below which nothing can be told from it by colour.
_NEUTRAL = 8.0
# Steps of b by which other lips may be bluer, and the share of what is more that is taken away.
_ALIKE, _TAKEN = 2.0, 0.8


def warm_lips(reference: Tensor, target: Tensor, skin: Tensor, own: Tensor, others: Tensor) -> Tensor:
    """`reference` with lips that are less blue, where they are bluer beside the skin than the target's.

    `reference`, `target`: (h, w, 3) L, a, b of the same window, broad light already alike.
    `skin`: (h, w, 3), the broad L, a, b of the target's skin.
    `own`, `others`: (h, w) bool, what the mouth covers on the reference and on the target.
    """
    lips, others_lips = (_lips(lab, skin) * within for lab, within in ((reference, own), (target, others)))
    if not (lips > 0.5).any() or not (others_lips > 0.5).any():
        return reference
    warmth, goal = (
        (lab - skin)[..., 2][share > 0.5].median() for lab, share in ((reference, lips), (target, others_lips))
    )
    shift = _TAKEN * (goal - _ALIKE - warmth).clamp_min(0)
    return torch.cat([reference[..., :2], (reference[..., 2] + shift * lips)[..., None]], -1)


def _lips(lab: Tensor, skin: Tensor) -> Tensor:
    """(h, w), 0..1: how far a pixel is as colourful as lips."""
    of_skin = chroma_of(skin)
    colour = smoothstep((chroma_of(lab) / of_skin.clamp_min(_NEUTRAL) - _COLOUR) / _COLOUR_RAMP)
    lighter = lab[..., 0] / skin[..., 0].clamp_min(1) - 1
    return colour * smoothstep((_LIGHTER - lighter) / _LIGHTER_RAMP) * (of_skin > _NEUTRAL)
