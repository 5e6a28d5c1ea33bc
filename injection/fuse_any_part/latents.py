"""What FuseAnyPart's UNet sees beside the noisy latent: a mask, and the target's latent with noise where it is masked.

Source: arXiv 2410.22771 and the public release's inference program. A latent is (B, 4, h, w), in the UNet's scale
unless it says otherwise; a latent cell is 8 x 8 pixels. Nothing here needs a host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# SD1.5's factor between what the VAE gives and what the UNet takes.
SCALE = 0.18215
CELL = 8
CANVAS = 1024
SHORTEST = 512


@dataclass(frozen=True, eq=False)
class MaskedLatent:
    """`mask`: (B, 1, h, w), 0 or 1, 1 = to be made anew. `latent`: (B, 4, h, w), noise where the mask is 1."""

    mask: Tensor
    latent: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """h, w in latent cells."""
        return int(self.mask.shape[-2]), int(self.mask.shape[-1])

    def host_order(self) -> Tensor:
        """(B, 5, h, w), mask first, as ComfyUI concatenates to the noisy latent."""
        return torch.cat([self.mask, self.latent], 1)


def released_size(height: int, width: int) -> tuple[int, int]:
    """H, W in pixels: the shorter side becomes 512, both are rounded to multiples of 8 (a square gives 512 x 512)."""
    scale = SHORTEST / min(height, width)
    return _whole_cells(height * scale), _whole_cells(width * scale)


def own_size(height: int, width: int) -> tuple[int, int]:
    """H, W in pixels, rounded to multiples of 8."""
    return _whole_cells(height), _whole_cells(width)


def resize_pictures(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W, 3) -> (B, *size, 3), bilinear with antialiasing; the very same pictures when the size is theirs."""
    if tuple(pictures.shape[1:3]) == size:
        return pictures
    moved = functional.interpolate(pictures.movedim(-1, 1), size, mode="bilinear", antialias=True)
    return moved.movedim(1, -1).clamp(0, 1)


def released_mask(boxes: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
    """Part -> (B, 4), y0, x0, y1, x1 in 0..1 of the picture -> their union (B, 1, h, w), 0 or 1.

    As published: drawn on a 1024 x 1024 canvas, borders truncated, then nearest to `size` (h, w in cells). Raises
    ValueError when a picture's boxes miss every cell.
    """
    count = len(next(iter(boxes.values())))
    canvas = torch.zeros(count, 1, CANVAS, CANVAS)
    for part in boxes.values():
        for picture, (y0, x0, y1, x1) in zip(canvas, (CANVAS * part.double()).to(torch.int16).tolist(), strict=True):
            picture[:, y0:y1, x0:x1] = 1
    return _not_empty(functional.interpolate(canvas, size, mode="nearest"), "the target's boxes")


def practical_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) soft -> (B, 1, h, w), 0 or 1: 1 where any pixel of the cell is mostly (0.5 or more) to be made anew.

    Raises ValueError when a picture's mask misses every cell.
    """
    reached = functional.adaptive_max_pool2d(mask[:, None].float(), size)
    return _not_empty((reached >= 0.5).to(reached.dtype), "the target's mask")


def fill_masked(reference: Tensor, mask: Tensor, seed: int) -> MaskedLatent:
    """reference * (1 - mask) + noise * mask, noise of unit variance from `seed` (published: an unseeded generator).

    `reference`: the painted-out target as the VAE gives it, (B, 4, h, w), times 0.18215 in here.
    """
    reference = reference.float().cpu()
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(seed))
    return MaskedLatent(mask, reference * SCALE * (1 - mask) + noise * mask)


def _whole_cells(pixels: float) -> int:
    return max(1, round(pixels / CELL)) * CELL


def _not_empty(mask: Tensor, name: str) -> Tensor:
    for i, picture in enumerate(mask):
        if not picture.any():
            raise ValueError(
                f"{name} of picture {i + 1} reach no cell of a latent of {mask.shape[-1]} x {mask.shape[-2]} cells; "
                "choose larger parts, or cut the face out first with Face Crop (Aligned)"
            )
    return mask
