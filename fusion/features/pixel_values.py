"""Pictures -> the pixel values that an encoder takes, and back."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ...detectors.progress import Progress, counted
from .encoder import Encoder

# Pixels: FuseAnyPart's published program resizes every picture to this square before CLIPImageProcessor.
_PUBLISHED_SIDE = 256


def published_pixels(pictures: Tensor, encoder: Encoder, progress: Progress | None = None) -> Tensor:
    """Pixel values as FuseAnyPart's published program makes them.

    PIL's bicubic to 256 x 256 in 8 bits, then the defaults of CLIPImageProcessor at the encoder's size: bicubic in 8
    bits again (the centre crop of a square changes nothing), division by 255, mean and standard deviation.

    `pictures`: (N, H, W, 3) float32, 0..1.
    `progress`: called after each picture.

    Returns (N, 3, size, size) float32.
    """
    resized = []
    for i in counted(range(len(pictures)), progress):
        pixels = (pictures[i].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        image = Image.fromarray(np.ascontiguousarray(pixels))
        for side in (_PUBLISHED_SIDE, encoder.size):
            image = image.resize((side, side), Image.Resampling.BICUBIC)
        resized.append(torch.from_numpy(np.array(image)))
    return _normalised(torch.stack(resized).float() / 255, encoder)


def close_pixels(pictures: Tensor, encoder: Encoder) -> Tensor:
    """Pixel values of squares that are as large as the encoder's cells cover.

    `pictures`: (N, s, s, 3) float32, 0..1, s the encoder's `covered_side`; beyond it their border is repeated.

    Returns (N, 3, size, size) float32.
    """
    rim = encoder.size - pictures.shape[1]
    padded = functional.pad(pictures.permute(0, 3, 1, 2), (0, rim, 0, rim), mode="replicate")
    return _normalised(padded.permute(0, 2, 3, 1), encoder)


def shown_pictures(pixels: Tensor, encoder: Encoder) -> Tensor:
    """Pixel values (N, 3, s, s) -> the pictures (N, s, s, 3) float32, 0..1, that they stand for."""
    return (pixels.permute(0, 2, 3, 1) * torch.tensor(encoder.std) + torch.tensor(encoder.mean)).clamp(0, 1)


def _normalised(pictures: Tensor, encoder: Encoder) -> Tensor:
    """(N, s, s, 3) in 0..1 -> pixel values (N, 3, s, s)."""
    return ((pictures - torch.tensor(encoder.mean)) / torch.tensor(encoder.std)).permute(0, 3, 1, 2).contiguous()
