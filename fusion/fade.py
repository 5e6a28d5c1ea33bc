"""A soft edge around a hard mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fade_out(mask: Tensor, pixels: int) -> Tensor:
    """Mask (B, H, W) in 0..1 -> the same, falling to 0 over `pixels` (rounded up to even) beyond its edge.

    White stays 1, grey never becomes darker, and what lies further away stays 0, exactly; halfway it is about a half.
    Distance is measured along rows and columns, whichever is longer, as assemble.assemble grows its masks.
    """
    half = (pixels + 1) // 2
    if half < 1:
        return mask
    soft = functional.max_pool2d(mask[:, None], (2 * half + 1, 1), 1, (half, 0))
    soft = functional.max_pool2d(soft, (1, 2 * half + 1), 1, (0, half))
    # A triangle as wide as the mask was grown, so that white is only touched from outside; the border is repeated.
    steps = torch.arange(-half, half + 1, dtype=mask.dtype, device=mask.device)
    kernel = (half + 1 - steps.abs()) / (half + 1) ** 2
    for weights, padding in ((kernel[:, None], (0, 0, half, half)), (kernel[None], (half, half, 0, 0))):
        soft = functional.conv2d(functional.pad(soft, padding, mode="replicate"), weights[None, None])
    return torch.maximum(soft[:, 0].clamp(0, 1), mask)
