"""What FuseAnyPart's UNet is given beside the noisy latent, and where sampling starts.

A mask, and the target's latent with noise where the mask is 1. Source: arXiv 2410.22771 and the public release's
inference program. A latent is (B, 4, h, w), in the UNet's scale unless stated otherwise; a latent cell is 8 x 8 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ...fusion.features.records import TargetPicture

# SD1.5's factor from the VAE's scale to the UNet's.
SCALE = 0.18215
# Pixels per side of a latent cell.
CELL = 8
# Pixels per side of the square on which the published program draws the boxes.
CANVAS = 1024
# Pixels of the shorter side in the published program.
SHORTEST = 512

# Pictures (B, H, W, 3) in 0..1, sides multiples of 8 -> their latents (B, 4, H / 8, W / 8) in the VAE's scale.
Encode = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class MaskedLatent:
    """`mask`: (B, 1, h, w), 0 or 1, 1 = to be made anew. `latent`: (B, 4, h, w), noise where the mask is 1.

    `reference`: (B, 4, h, w), the latent without noise, and `seed` of the noise; None where it is never resized.
    """

    mask: Tensor
    latent: Tensor
    reference: Tensor | None = None
    seed: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """h, w in latent cells."""
        return int(self.mask.shape[-2]), int(self.mask.shape[-1])

    def host_order(self) -> Tensor:
        """(B, 5, h, w), mask first, as ComfyUI concatenates to the noisy latent."""
        return torch.cat([self.mask, self.latent], 1)

    def resized(self, size: tuple[int, int]) -> MaskedLatent:
        """The same for a latent of this `size` (h, w): the reference bilinear, the noise drawn anew."""
        if self.reference is None or size == self.size:
            return self
        reference = functional.interpolate(self.reference, size, mode="bilinear")
        return _filled(reference, functional.adaptive_max_pool2d(self.mask, size), self.seed)


def make_start(target: TargetPicture, mode: str, encode: Encode, seed: int) -> tuple[MaskedLatent, dict[str, Tensor]]:
    """What the UNet is given in every step, and ComfyUI's LATENT from which sampling starts.

    In "released" mode that is an empty latent, as published; else the target's own, free to change under its soft mask.
    Raises ValueError as `masked_target` does.
    """
    if mode == "released":
        mask, reference = mask_of(target, mode), reference_of(target, mode, encode)
        return fill_masked(reference, mask, seed), {"samples": torch.zeros_like(reference)}
    size = own_size(*target.painted.shape[1:3])
    picture, painted = (resize_pictures(pictures, size) for pictures in (target.picture, target.painted))
    soft = resize_pictures(target.mask[..., None], size)[..., 0]
    masked = masked_target(replace(target, painted=painted, mask=soft), mode, encode, seed)
    return masked, {"samples": _encoded(encode, picture), "noise_mask": soft[:, None]}


def masked_target(target: TargetPicture, mode: str, encode: Encode, seed: int) -> MaskedLatent:
    """The painted-out target's latent, with noise where the parts are made anew.

    In "released" mode the shorter side is 512 pixels and the mask comes from the boxes; else the target keeps its size,
    but for whole cells, and the mask is its own. Raises ValueError when the mask misses every cell, and for a VAE whose
    latents are not SD1.5's.
    """
    mask = mask_of(target, mode)
    return fill_masked(reference_of(target, mode, encode), mask, seed)


def released_size(height: int, width: int) -> tuple[int, int]:
    """H, W in pixels: the shorter side becomes 512, both are rounded to multiples of 8 (a square gives 512 x 512)."""
    scale = SHORTEST / min(height, width)
    return _whole_cells(height * scale), _whole_cells(width * scale)


def own_size(height: int, width: int) -> tuple[int, int]:
    """H, W in pixels, rounded to multiples of 8."""
    return _whole_cells(height), _whole_cells(width)


def resize_pictures(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W, C) -> (B, *size, C), bilinear with antialiasing; `pictures` itself when it has that size."""
    if tuple(pictures.shape[1:3]) == size:
        return pictures
    resized = functional.interpolate(pictures.movedim(-1, 1), size, mode="bilinear", antialias=True)
    return resized.movedim(1, -1).clamp(0, 1)


def released_mask(boxes: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
    """The union (B, 1, h, w), 0 or 1, of boxes.

    `boxes`: part -> (B, 4), y0, x0, y1, x1 in 0..1 of the picture. `size`: h, w in cells. As published: drawn on a
    1024 x 1024 canvas, borders truncated, then nearest to `size`. Raises ValueError when a picture's boxes miss every
    cell.
    """
    count = len(next(iter(boxes.values())))
    canvas = torch.zeros(count, 1, CANVAS, CANVAS)
    for part in boxes.values():
        for picture, (y0, x0, y1, x1) in zip(canvas, (CANVAS * part.double()).to(torch.int16).tolist(), strict=True):
            picture[:, y0:y1, x0:x1] = 1
    return _not_empty(functional.interpolate(canvas, size, mode="nearest"), "the target's boxes")


def practical_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) soft -> (B, 1, h, w), 0 or 1: 1 where any pixel of the cell is mostly (0.5 or more) to be made anew.

    `size`: h, w in cells. Raises ValueError when a picture's mask misses every cell.
    """
    reached = functional.adaptive_max_pool2d(mask[:, None].float(), size)
    return _not_empty((reached >= 0.5).to(reached.dtype), "the target's mask")


def fill_masked(reference: Tensor, mask: Tensor, seed: int) -> MaskedLatent:
    """reference * (1 - mask) + noise * mask, noise of unit variance from `seed` (published: an unseeded generator).

    `reference`: the painted-out target's latent (B, 4, h, w) in the VAE's scale.
    """
    return _filled(reference.float().cpu() * SCALE, mask, seed)


def _filled(reference: Tensor, mask: Tensor, seed: int) -> MaskedLatent:
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(seed))
    return MaskedLatent(mask, reference * (1 - mask) + noise * mask, reference, seed)


def _size(target: TargetPicture, mode: str) -> tuple[int, int]:
    height, width = target.painted.shape[1:3]
    return released_size(height, width) if mode == "released" else own_size(height, width)


def mask_of(target: TargetPicture, mode: str) -> Tensor:
    """(B, 1, h, w), 0..1, in latent cells: where the UNet makes the picture anew."""
    cells = _cells(_size(target, mode))
    return released_mask(target.boxes, cells) if mode == "released" else practical_mask(target.mask, cells)


def reference_of(target: TargetPicture, mode: str, encode: Encode) -> Tensor:
    """(B, 4, h, w), the latent of the painted-out target. Raises ValueError for a VAE whose latents are not SD1.5's."""
    return _encoded(encode, resize_pictures(target.painted, _size(target, mode)))


def _encoded(encode: Encode, pictures: Tensor) -> Tensor:
    latent, needed = encode(pictures), (len(pictures), 4, *_cells((pictures.shape[1], pictures.shape[2])))
    if tuple(latent.shape) != needed:
        raise ValueError(
            f"the VAE makes a latent of shape {tuple(latent.shape)} where SD1.5's is {needed}; take the VAE of an "
            "SD1.5 checkpoint"
        )
    return latent


def _cells(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // CELL, size[1] // CELL


def _whole_cells(pixels: float) -> int:
    return max(1, round(pixels / CELL)) * CELL


def _not_empty(mask: Tensor, name: str) -> Tensor:
    for i, picture in enumerate(mask):
        if not picture.any():
            raise ValueError(
                f"{name} of picture {i + 1} reach no cell of a latent of {mask.shape[-1]} x {mask.shape[-2]} cells; "
                "choose larger parts, or cut the face out of the picture first"
            )
    return mask
