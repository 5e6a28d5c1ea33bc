"""Whether the edge of what changed can be seen."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fusion.dilation import dilate_area
from ..fusion.lab import to_lab
from .changed import changed_area

# Half the width of the band along the edge, as a share of the picture's shorter side.
_BAND = 1 / 250
# Gradient in steps of L for each pixel that is added to both sides, so that flat skin does not divide by nothing.
_FLOOR = 0.5


def seam(result: Tensor, target: Tensor) -> float | None:
    """The mean gradient of lightness along the edge of what changed, as a multiple of the target's in the same place.

    1 for an edge that cannot be seen, below 1 where the target has an edge there and the result none.

    `result`, `target`: (H, W, 3), 0..1. None where nothing or nearly everything changed. Raises ValueError for pictures
    of different sizes.
    """
    area = changed_area(result, target)
    if area is None:
        return None
    width = max(1, round(_BAND * min(area.shape)))
    band = dilate_area(area, width) & dilate_area(~area, width)
    after, before = (float(_gradient(picture)[band].mean()) for picture in (result, target))
    return (after + _FLOOR) / (before + _FLOOR)


def _gradient(picture: Tensor) -> Tensor:
    """(H, W): steps of L for each pixel."""
    light = to_lab(picture)[..., 0]
    down, across = torch.zeros_like(light), torch.zeros_like(light)
    down[1:-1] = (light[2:] - light[:-2]) / 2
    across[:, 1:-1] = (light[:, 2:] - light[:, :-2]) / 2
    return torch.hypot(down, across)
