"""Whether what changed has another tone along its rim, which shows as a patch however soft its edge is."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fusion.coarse import gaussian, shrunk
from ..fusion.dilation import dilate_area
from ..fusion.lab import to_lab
from .changed import changed_area

# Width of the rim inside the edge, and standard deviation of what is broad, as shares of the picture's shorter side.
_WIDTH, _BROAD = 1 / 40, 1 / 100
# Samples along the picture's shorter side, on which it is measured.
_SAMPLES = 320


def rim(result: Tensor, target: Tensor) -> float | None:
    """The mean difference of broad tone, CIELAB's distance, along the rim of what changed.

    Detail does not count, so that eyes or lips in the tone of the face have a small one. `result`, `target`:
    (H, W, 3), 0..1. None where nothing or nearly everything changed. Raises ValueError for pictures of different sizes.
    """
    area = changed_area(result, target)
    if area is None:
        return None
    short = min(area.shape)
    inner = area & dilate_area(~area, max(1, round(_WIDTH * short)))
    step = max(1.0, short / _SAMPLES)
    size = (round(area.shape[0] / step), round(area.shape[1] / step))
    difference = shrunk(to_lab(result) - to_lab(target), size)
    weights = shrunk(inner.float()[..., None], size)
    broad = gaussian(torch.cat([difference * weights, weights], 1), _BROAD * short / step)[0]
    tone = (broad[:3] / broad[3:].clamp_min(1e-4)).norm(dim=0)
    return float((tone * weights[0, 0]).sum() / weights.sum())
