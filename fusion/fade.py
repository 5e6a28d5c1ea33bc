"""A soft edge around a hard mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .dilation import dilate


def fade_out(mask: Tensor, pixels: int) -> Tensor:
    """`mask` with an edge that falls to 0 outside it, to about a half in the middle.

    `mask`: (B, H, W) float, 0..1; no pixel becomes darker.
    `pixels`: length of the fall, rounded up to even; pixels further away than that keep their value. Distance is
        measured as in `dilation`.
    """
    half = (pixels + 1) // 2
    if half < 1:
        return mask
    soft = dilate(mask[:, None], half)
    # A triangle as wide as the mask was grown leaves white as it is; the picture's border is repeated.
    steps = torch.arange(-half, half + 1, dtype=mask.dtype, device=mask.device)
    kernel = (half + 1 - steps.abs()) / (half + 1) ** 2
    for weights, padding in ((kernel[:, None], (0, 0, half, half)), (kernel[None], (half, half, 0, 0))):
        soft = functional.conv2d(functional.pad(soft, padding, mode="replicate"), weights[None, None])
    return torch.maximum(soft[:, 0].clamp(0, 1), mask)
