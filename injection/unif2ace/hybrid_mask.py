"""Which token may look at which: text causally, the tokens of one image at each other in full (Show-o, UniF2ace)."""

from __future__ import annotations

import torch
from torch import Tensor

PADDING, TEXT, FIRST_IMAGE = 0, 1, 2


def hybrid_mask(kinds: Tensor) -> Tensor:
    """The attention mask of mixed sequences.

    `kinds`: (B, T) whole numbers: PADDING, TEXT, or FIRST_IMAGE and up, one number for each image of a sequence.
    Returns (B, T, T) bool: row, the token that looks; column, the one that is looked at. Every token looks at itself
    and, but for padding, at all that came before; tokens of one image also at those of it that come after.

    Raises ValueError for another shape or for a number below 0.
    """
    if kinds.ndim != 2 or kinds.is_floating_point() or bool((kinds < 0).any()):
        raise ValueError(
            f"kinds has shape {tuple(kinds.shape)} and type {kinds.dtype}; needed are whole numbers from 0 in (batch, "
            "tokens): 0 padding, 1 text, from 2 on one number for each image"
        )
    length = kinds.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=kinds.device).tril()
    looks, is_seen = kinds[:, :, None], kinds[:, None, :]
    same_image = (looks == is_seen) & (looks >= FIRST_IMAGE)
    own = torch.eye(length, dtype=torch.bool, device=kinds.device)
    return ((before | same_image) & (looks != PADDING) & (is_seen != PADDING)) | own
