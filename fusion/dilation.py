"""Growing masks by whole pixels; distance is measured along rows and columns, whichever is longer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def dilate(masks: Tensor, pixels: int) -> Tensor:
    """(N, 1, H, W) float, every pixel the largest value within `pixels` of it."""
    rows = functional.max_pool2d(masks, (2 * pixels + 1, 1), 1, (pixels, 0))
    return functional.max_pool2d(rows, (1, 2 * pixels + 1), 1, (0, pixels))


def dilate_area(area: Tensor, pixels: int) -> Tensor:
    """(H, W) bool, grown by `pixels`; unlike `dilate` it takes the same time for any number of pixels."""
    for axis in (0, 1):
        length = area.shape[axis]
        # Differences of running counts say whether anything lies within reach.
        counts = functional.pad(area.int().cumsum(axis), (0, 0, 1, 0) if axis == 0 else (1, 0))
        at = torch.arange(length)
        ends, starts = (at + pixels + 1).clamp(max=length), (at - pixels).clamp(min=0)
        area = counts.index_select(axis, ends) > counts.index_select(axis, starts)
    return area
