"""The host's MASK in the shapes that nodes send it."""

from __future__ import annotations

from torch import Tensor


def as_masks(mask: Tensor | None) -> Tensor | None:
    """(H, W), (B, H, W) or (B, 1, H, W) -> (B, H, W) float32 on the CPU; None stays None."""
    return None if mask is None else mask.reshape(-1, *mask.shape[-2:]).cpu().float()
