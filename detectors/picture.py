"""The check at the entrance: a picture of any batch, size, channel count or float type becomes (B, H, W, 3) float32."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

# Values beyond these are not an overshoot of 0..1 but a picture of another range.
LOWEST, HIGHEST = -0.5, 2.0


def as_pictures(image: Tensor, name: str = "image") -> Tensor:
    """The picture as (B, H, W, 3) float32 0..1 on the CPU.

    `image`: (B, H, W, C), (H, W, C) or grey (H, W), float 0..1 or uint8; C is 1 or 2 (grey), 3 or 4. Alpha is dropped,
    grey becomes three equal channels. Floats a little beyond 0..1, as samplers and upscalers leave them, are clamped.
    `name`: the input that an error names.

    Raises TypeError when `image` is not a tensor and ValueError for another shape, an empty batch, other whole numbers
    than uint8, and values that are not finite or belong to another range, such as 0..255.
    """
    if not isinstance(image, Tensor):
        raise TypeError(f"{name} must be a picture tensor (B, H, W, 3), got {type(image).__name__}; wire in an IMAGE")
    shape = tuple(image.shape)
    if image.ndim == 2:
        image = image[None, :, :, None]
    elif image.ndim == 3:
        image = image[None]
    if image.ndim != 4 or image.shape[-1] not in (1, 2, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"{name} has shape {shape}; needed is (batch, height, width, channels) with 1 grey, 3 RGB or 4 RGBA "
            "channels and at least one pixel"
        )
    if image.dtype == torch.uint8:
        image = image.float() / 255
    elif not (image.is_floating_point() or image.dtype == torch.bool):
        raise ValueError(
            f"{name} holds values of type {image.dtype}; needed are floats in 0..1 or uint8: divide by the largest "
            f"value that the picture can have, as in {name}.float() / 255"
        )
    image = image.to("cpu", torch.float32)
    image = image[..., :1].expand(*image.shape[:3], 3) if image.shape[-1] < 3 else image[..., :3]
    low, high = (float(bound) for bound in torch.aminmax(image))
    if not math.isfinite(low + high):
        raise ValueError(f"{name} holds values that are not numbers (NaN or infinity); check the node before it")
    if low < LOWEST or high > HIGHEST:
        raise ValueError(
            f"{name} goes from {low:g} to {high:g}; needed is 0..1. Divide a picture of 0..255 by 255, bring one of "
            "-1..1 there by x / 2 + 0.5; check the node before it"
        )
    return image if low >= 0 and high <= 1 else image.clamp(0, 1)


def stacked(pictures: Iterable[Tensor], count: int) -> Tensor:
    """(count, ...): equally large pictures in one batch, as `torch.stack`, but never all of them twice in memory."""
    batch = torch.empty(0)
    for i, picture in enumerate(pictures):
        batch = picture.new_empty(count, *picture.shape) if i == 0 else batch
        batch[i] = picture
    return batch


def as_bytes(picture: Tensor) -> np.ndarray:
    """A picture of any shape in 0..1 -> uint8 of the same shape, rounded."""
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
