"""Masks on the grid of a UNet block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

# Height and width.
Size = tuple[int, int]
# The piece of the whole latent that a model call computes, y0, x0, y1, x1 in 0..1: all of it unless a conditioning has
# an area.
Window = tuple[float, float, float, float]
WHOLE: Window = (0.0, 0.0, 1.0, 1.0)
# A latent may differ from the mask's shape by this many cells, as pictures are cut to whole cells.
_CELLS = 2


def mask_on_grid(mask: Tensor, grid: Size, window: Window = WHOLE) -> Tensor:
    """The share of each cell that a mask covers.

    `mask`: (M, H, W) over the whole picture; values outside 0..1 are clamped. `grid`: h, w of the block.
    `window`: what the grid covers. Returns (M, h, w) float32 in 0..1.
    """
    height, width = mask.shape[-2:]
    y0, x0, y1, x1 = (round(v * n) for v, n in zip(window, (height, width) * 2, strict=True))
    piece = mask[:, y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return functional.adaptive_avg_pool2d(piece.float().clamp(0, 1), grid)


def is_everywhere(mask: Tensor) -> bool:
    """Whether a mask (M, 1, 1) has no shape of its own, as that of a region without a target has none."""
    return tuple(mask.shape[-2:]) == (1, 1)


def same_shape(picture: Size, latent: Size) -> bool:
    """Whether `latent` (height, width in cells) is as wide for its height as `picture`, up to two cells."""
    (h, w), (height, width) = picture, latent
    return min(abs(width - w * height / h), abs(height - h * width / w)) <= _CELLS


def check_shape(name: str, mask: Tensor, latents: Tensor) -> None:
    """Raises ValueError unless a mask (M, H, W) has the shape of `latents` (..., h, w), up to two cells.

    `name`: for the message. A mask (M, 1, 1) is everywhere and has any shape.
    """
    (h, w), (height, width) = mask.shape[-2:], latents.shape[-2:]
    if not is_everywhere(mask) and not same_shape((h, w), (height, width)):
        raise ValueError(
            f"{name}: its region is drawn on {w} x {h} pixels and the latent {width} x {height} cells, which is "
            "another shape; sample a latent made from the target's own picture, or give the mask the picture's shape"
        )


def block_grid(options: Mapping[str, Any]) -> Size:
    """Height and width of the block that a call with the host's `options` is in, in cells."""
    height, width = options["activations_shape"][-2:]
    return int(height), int(width)
