"""A picture of what steers where: the target in grey with every region in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import FaceParts
from ...detectors.preview import REGION_COLOURS

_COLOURS = (torch.tensor(REGION_COLOURS) / 255).round(decimals=2)
# Pixels per side where neither a target nor a mask has a size.
_BLANK = 512


def draw_regions(regions: Sequence[tuple[Tensor, float]], target: FaceParts | None) -> Tensor:
    """(B, H, W, 3) 0..1: the target's pictures in grey, or black, with every region in a colour of its own.

    `regions`: masks (B or 1, H, W) in 0..1 with strengths; the weaker, the fainter.
    """
    sizes = [tuple(mask.shape[-2:]) for mask, _ in regions if mask.shape[-1] > 1]
    size = target.size if target is not None else sizes[0] if sizes else (_BLANK, _BLANK)
    drawn = torch.zeros(1, *size, 3) if target is None else target.pictures.mean(-1, keepdim=True).expand(-1, -1, -1, 3)
    drawn = (0.5 * drawn).expand(max(len(drawn), *(len(mask) for mask, _ in regions)), -1, -1, -1)
    for number, (mask, strength) in enumerate(regions):
        share = functional.interpolate(mask[:, None], size, mode="nearest")[:, 0, :, :, None] * min(1.0, strength)
        drawn = torch.lerp(drawn, _COLOURS[number % len(_COLOURS)].expand_as(drawn), 0.7 * share)
    return drawn
