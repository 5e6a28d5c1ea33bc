"""How two batches pair up: a batch of one serves every picture of the other, otherwise the counts must match."""

from __future__ import annotations

from collections.abc import Sized

from torch import Tensor

from ..detectors.parts import FaceParts


def index_in(batch: Sized, i: int) -> int:
    """Where in `batch` the picture for the i-th target picture lies."""
    return 0 if len(batch) == 1 else i


def mask_for(masks: Tensor | None, i: int) -> Tensor | None:
    """The mask (H, W) of the i-th picture out of `masks` (B or 1, H, W)."""
    return None if masks is None else masks[index_in(masks, i)]


def check_count(name: str, count: int, target_count: int) -> None:
    """Raises ValueError unless the reference `name` has one picture, or as many as the target."""
    if count not in (1, target_count):
        raise ValueError(
            f"{name} has {count} pictures and the target has {target_count}; use one reference picture for all, or "
            f"exactly {target_count}"
        )


def checked_mask(mask: Tensor | None, parts: FaceParts, name: str, owner: str = "its") -> Tensor | None:
    """`mask` over the pictures of `parts`, as float32 in 0..1.

    `mask`: (B or 1, H, W), any number type.
    `name`, `owner`: what the error calls the mask, and whose pictures it lies on.

    Raises ValueError when the shape is another.
    """
    if mask is None:
        return None
    if mask.ndim != 3 or mask.shape[1:] != parts.pictures.shape[1:3] or len(mask) not in (1, len(parts)):
        raise ValueError(
            f"{name} has shape {tuple(mask.shape)}; needed is ({len(parts)}, {parts.size[0]}, {parts.size[1]}), the "
            f"size of {owner} pictures (or one mask for all of them)"
        )
    return mask.float().clamp(0, 1)
