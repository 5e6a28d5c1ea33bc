"""Multi-band blending (Burt and Adelson 1983): every band of detail of two pictures meets over a seam of its own width.

The pyramids are OpenCV's: `pyrDown` and `pyrUp` with their default borders.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# As published: the side in pixels at which pictures are blended, and bands of which the last is the coarse rest.
SIDE, LEVELS = 512, 10


def blend(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """`first` where `mask` is 1, `second` where it is 0.

    `first`, `second`: (S, S, 3) float32, 0..1.
    `mask`: (S, S), 0..1.

    Returns (S, S, 3), 0..1; it is blended at SIDE pixels.
    """
    size = first.shape[0]
    stack = torch.cat([first, second, mask[..., None]], -1).movedim(-1, 0)[None]
    stack = functional.interpolate(stack, (SIDE, SIDE), mode="bilinear", align_corners=False)[0]
    blended = blend_bands(stack[:3], stack[3:6], stack[6:7]).clamp(0, 1)
    # Pixels shrink by their mean, so that a picture blended with itself is itself but for the enlarging.
    back = functional.interpolate(blended[None], (size, size), mode="bilinear", align_corners=False, antialias=True)
    return back[0].movedim(0, -1)


def blend_bands(first: Tensor, second: Tensor, mask: Tensor, levels: int = LEVELS) -> Tensor:
    """Pictures (C, H, W) and a mask (1, H, W), any size -> (C, H, W), not limited to 0..1.

    `levels`: bands, of which all but the last are differences.
    """
    # Pyramids are linear, so that one of the difference says as much as two of the pictures.
    shares = gaussian(mask, levels)
    bands = [band * share for band, share in zip(laplacian(first - second, levels), shares, strict=True)]
    picture = bands[-1]
    for band in reversed(bands[:-1]):
        picture = enlarged(picture, (band.shape[1], band.shape[2])) + band
    return second + picture


def gaussian(picture: Tensor, levels: int) -> list[Tensor]:
    """The picture (C, H, W) and `levels` - 1 smaller ones, each half as large as the one before."""
    pictures = [picture]
    for _ in range(levels - 1):
        pictures.append(halved(pictures[-1]))
    return pictures


def laplacian(picture: Tensor, levels: int) -> list[Tensor]:
    """What each smaller picture loses, `levels` - 1 times, and the smallest picture."""
    pictures = gaussian(picture, levels)
    pairs = zip(pictures, pictures[1:], strict=False)
    return [*(own - enlarged(small, (own.shape[1], own.shape[2])) for own, small in pairs), pictures[-1]]


def halved(picture: Tensor) -> Tensor:
    """OpenCV's `pyrDown` of (C, H, W): a binomial filter of 5 pixels, then every other pixel."""
    for axis in (1, 2):
        length = picture.shape[axis]
        taps = [
            picture.index_select(axis, _mirrored(torch.arange(0, length, 2) + shift, length)) * weight
            for shift, weight in zip((-2, -1, 0, 1, 2), (1, 4, 6, 4, 1), strict=True)
        ]
        picture = torch.stack(taps).sum(0) / 16
    return picture


def enlarged(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """OpenCV's `pyrUp` of (C, h, w) to `size` (H, W), each twice as long or one pixel shorter."""
    for axis, length in zip((1, 2), size, strict=True):
        own = picture.shape[axis]
        at = torch.arange(own)
        left, right = (
            picture.index_select(axis, near)
            for near in (torch.where(at > 0, at - 1, min(1, own - 1)), (at + 1).clamp(max=own - 1))
        )
        pairs = torch.stack([(left + 6 * picture + right) / 8, (picture + right) / 2], axis + 1)
        picture = pairs.flatten(axis, axis + 1).narrow(axis, 0, length)
    return picture


def _mirrored(at: Tensor, length: int) -> Tensor:
    """Places beyond 0..length - 1 -> those that a mirror on the outer pixel's middle shows there."""
    if length == 1:
        return torch.zeros_like(at)
    at = at.abs() % (2 * (length - 1))
    return torch.minimum(at, 2 * (length - 1) - at)
