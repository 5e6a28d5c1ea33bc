"""Blending over a Laplacian pyramid: fine detail changes over a short distance, broad tone over a long one.

Source: Burt and Adelson, A Multiresolution Spline, 1983.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# The generating kernel of Burt and Adelson at a = 0.375: the binomial.
_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
# Added to the mean weight before dividing: where weights are far below it, a weighted mean goes to 0.
_LEAST_WEIGHT = 0.1


def pyramid_blend(inner: Tensor, outer: Tensor, mask: Tensor, levels: int) -> Tensor:
    """`inner` where `mask` is 1 and `outer` where it is 0, without a seam.

    `inner`, `outer`: (h, w, C) float32.
    `mask`: (h, w) float32, 0..1.
    `levels`: halvings at most; fewer when the picture is small.

    Returns (h, w, C). Equal pictures come back unchanged up to rounding.
    """
    channels = inner.shape[-1]
    stack = torch.cat([inner - outer, mask[..., None]], -1).permute(2, 0, 1)[None]
    gaussians = _gaussians(stack, levels)
    # outer + sum of mask-weighted bands of (inner - outer) equals the usual blend of both pyramids.
    blended = gaussians[-1][:, :channels] * gaussians[-1][:, channels:]
    for fine, coarse in zip(reversed(gaussians[:-1]), reversed(gaussians[1:]), strict=True):
        size = fine.shape[-2:]
        band = fine[:, :channels] - _expand(coarse[:, :channels], size)
        blended = _expand(blended, size) + band * fine[:, channels:]
    return outer + blended[0].permute(1, 2, 0)


def broad_mean(picture: Tensor, weights: Tensor, levels: int, size: Sequence[int]) -> Tensor:
    """The weighted mean of `picture` around every pixel, over about 2 ** `levels` pixels.

    `picture`: (h, w, C) float32.
    `weights`: (h, w) float32, 0..1; where all are near 0 the mean goes to 0.
    `levels`: halvings at most; fewer when the picture is small.
    `size`: height, width of the result.
    """
    stack = torch.cat([picture * weights[..., None], weights[..., None]], -1).permute(2, 0, 1)[None].contiguous()
    broad = _gaussians(stack, levels)[-1]
    return _expand(broad[:, :-1] / (broad[:, -1:] + _LEAST_WEIGHT), size)[0].permute(1, 2, 0)


def _gaussians(stack: Tensor, levels: int) -> list[Tensor]:
    """`stack` (1, C, h, w) and its halvings, `levels` at most, fewer when it is small."""
    gaussians = [stack]
    while len(gaussians) <= levels and min(gaussians[-1].shape[-2:]) >= 4:
        gaussians.append(_reduce(gaussians[-1]))
    return gaussians


def _reduce(stack: Tensor) -> Tensor:
    channels = stack.shape[1]
    line = torch.tensor(_KERNEL, dtype=stack.dtype, device=stack.device)
    kernel = torch.outer(line, line).expand(channels, 1, 5, 5)
    return functional.conv2d(functional.pad(stack, (2, 2, 2, 2), mode="replicate"), kernel, stride=2, groups=channels)


def _expand(stack: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(stack, tuple(size), mode="bilinear", align_corners=True)
