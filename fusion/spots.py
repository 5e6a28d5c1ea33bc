"""Spots, stubble and rough skin around a reference's eyes and mouth, no stronger than the target's own skin shows.

They would end at the edge of the part. A nose keeps its texture: shades that small are its shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .coarse import coarse_size, enlarged, gaussian, shrunk
from .outline import smoothstep

# Samples per eye distance, and the width in eye distances below which a patch of another colour is a spot.
_SAMPLES, _WIDTH = 64, 0.05
# The strength of spots, in steps of L, a and b, that this share of a skin stays below is its level; none is taken for
# less than the least.
_SHARE, _LEAST = 0.75, 0.8
# Up to this multiple of the target's level two skins count as alike and the reference's stays, texture and all; over
# the ramp beyond, its spots are held down to the target's level.
_ALIKE, _RAMP = 1.1, 0.2
# From this share of skin on a place counts for that strength.
_ENOUGH_SKIN = 0.5


def clear_spots(reference: Tensor, target: Tensor, skin: Tensor, unit: float, amount: float) -> Tensor:
    """`reference` with spots no stronger than the target's.

    `reference`, `target`: (h, w, 3) L, a, b of the same window, broad light already alike.
    `skin`: (h, w), 0..1, 1 where both show bare skin.
    `unit`: pixels per eye distance.
    `amount`: 0..1, share of what is too much that is taken away.
    """
    size = coarse_size(skin.shape, unit, _SAMPLES)
    width = _WIDTH * unit * size[0] / skin.shape[0]
    share = shrunk(skin[..., None], size)
    counts = share > _ENOUGH_SKIN
    if not counts.any():
        return reference
    own, others = (_spots(shrunk(lab * skin[..., None], size), share, width) for lab in (reference, target))
    strength, others_strength = (spots.norm(dim=1, keepdim=True) for spots in (own, others))
    level, limit = (float(one[counts].quantile(_SHARE)) for one in (strength, others_strength))
    limit = max(limit, _LEAST)
    rougher = smoothstep(torch.tensor((level / limit - _ALIKE) / _RAMP))
    excess = own * (1 - limit / strength.clamp_min(1e-3)).clamp_min(0) * share
    return reference - amount * rougher * enlarged(excess, skin.shape)


def _spots(weighted: Tensor, share: Tensor, width: float) -> Tensor:
    """(1, 3, h, w): what skin differs by from its surroundings; `weighted`: L, a and b times `share` (1, 1, h, w)."""
    around = gaussian(torch.cat([weighted, share], 1), width)
    return weighted / share.clamp_min(1e-3) - around[:, :3] / around[:, 3:].clamp_min(1e-3)
