"""Growing masks by whole pixels; distance is measured along rows and columns, whichever is longer."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def dilate(masks: Tensor, pixels: int) -> Tensor:
    """(N, 1, H, W) float, every pixel the largest value within `pixels` of it."""
    return _largest(_largest(masks, pixels, 2), pixels, 3)


def _largest(masks: Tensor, pixels: int, axis: int) -> Tensor:
    """Every pixel the largest value within `pixels` of it along one axis."""
    margin = (0, 0, pixels, pixels) if axis == 2 else (pixels, pixels)
    masks, length, reach = functional.pad(masks, margin, value=-math.inf), masks.shape[axis], 1
    # Each value stands for the `reach` values from it on; two of them for up to twice as many.
    while reach < 2 * pixels + 1:
        step = min(reach, 2 * pixels + 1 - reach)
        left = masks.shape[axis] - step
        masks = torch.maximum(masks.narrow(axis, 0, left), masks.narrow(axis, step, left))
        reach += step
    return masks.narrow(axis, 0, length)


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
