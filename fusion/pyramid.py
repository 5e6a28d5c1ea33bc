"""Blending over a Laplacian pyramid: fine detail changes hands quickly, broad tone slowly (Burt and Adelson 1983)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_NOTHING = 0.1


def pyramid_blend(inner: Tensor, outer: Tensor, mask: Tensor, levels: int) -> Tensor:
    """`inner` where `mask` is 1, `outer` where it is 0; pictures (h, w, C), mask (h, w) 0..1 -> (h, w, C).

    `levels` halvings at most, fewer when the picture is small. Equal pictures come back unchanged up to rounding.
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
    """The mean of `picture` (h, w, C) over about 2 ** `levels` pixels, each counting by its weight (h, w) 0..1, drawn
    out to `size` (height, width).

    Fewer halvings when it is small. Where next to nothing counts the mean goes to 0.
    """
    stack = torch.cat([picture * weights[..., None], weights[..., None]], -1).permute(2, 0, 1)[None].contiguous()
    broad = _gaussians(stack, levels)[-1]
    return _expand(broad[:, :-1] / (broad[:, -1:] + _NOTHING), size)[0].permute(1, 2, 0)


def _gaussians(stack: Tensor, levels: int) -> list[Tensor]:
    """`stack` (1, C, h, w) and its halvings, `levels` at most, fewer when it is small."""
    halved = [stack]
    while len(halved) <= levels and min(halved[-1].shape[-2:]) >= 4:
        halved.append(_reduce(halved[-1]))
    return halved


def _reduce(stack: Tensor) -> Tensor:
    channels = stack.shape[1]
    line = torch.tensor(_KERNEL, dtype=stack.dtype, device=stack.device)
    kernel = torch.outer(line, line).expand(channels, 1, 5, 5)
    return functional.conv2d(functional.pad(stack, (2, 2, 2, 2), mode="replicate"), kernel, stride=2, groups=channels)


def _expand(stack: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(stack, tuple(size), mode="bilinear", align_corners=True)
