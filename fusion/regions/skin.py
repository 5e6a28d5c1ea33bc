"""How far pixels have the colour of a person's own facial skin; it tells a neck from the collar around it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..lab import to_lab
from ..outline import smoothstep

# How much of the face's colour a pixel shows, as a share: up to the first it is none of it, from the second on it is.
_NOT_SKIN, _SKIN = 0.3, 0.6
# The same across that colour: from the second on it is another one, such as that of a red scarf.
_SAME, _OTHER = 0.8, 1.5
# A face of less chroma says nothing about colour; then lightness alone decides.
_GREY = 5.0
# How much lighter than the face skin may be, in L: necks lie in the shade, white collars do not.
_LIGHTER, _MUCH_LIGHTER = 12.0, 24.0
# How dark it may be, as a share of the face's L: below the second lies black cloth.
_DARKER, _MUCH_DARKER = 0.2, 0.1
# Samples of the face that its colour is read from, at most.
_SAMPLES = 20000


def skin_colour(picture: Tensor, face_area: Tensor) -> Tensor:
    """The median L, a, b (3,) of the lighter, bare half of a face.

    `picture`: (H, W, 3) float32, 0..1.
    `face_area`: (H, W), 0..1. Raises ValueError when it is empty.
    """
    pixels = torch.nonzero(face_area.flatten() > 0.8)[:, 0]
    if len(pixels) == 0:
        raise ValueError("the face has no visible skin, so no skin tone can be read; choose a face that is not covered")
    lab = to_lab(picture.flatten(0, 1)[pixels[:: max(1, len(pixels) // _SAMPLES)]])
    # Brows, beards, eyes and nostrils are darker than the skin around them.
    return lab[lab[:, 0] >= lab[:, 0].median()].median(0).values


def skin_likeness(picture: Tensor, colour: Tensor) -> Tensor:
    """(H, W) 0..1: how far each pixel of `picture` (H, W, 3) has the skin `colour` (L, a, b)."""
    lab = to_lab(picture)
    (lightness, a, b), chroma = lab.unbind(-1), float(colour[1:].norm())
    like = 1 - smoothstep((lightness - colour[0] - _LIGHTER) / (_MUCH_LIGHTER - _LIGHTER))
    like = like * smoothstep((lightness / colour[0] - _MUCH_DARKER) / (_DARKER - _MUCH_DARKER))
    if chroma > _GREY:
        u, v = (colour[1:] / chroma).tolist()
        # Shade takes colour away along with light.
        along = (u * a + v * b) / (chroma * (lightness / colour[0]).clamp(0.4, 1))
        across = (v * a - u * b).abs() / chroma
        like = like * smoothstep((along - _NOT_SKIN) / (_SKIN - _NOT_SKIN))
        like = like * (1 - smoothstep((across - _SAME) / (_OTHER - _SAME)))
    return functional.avg_pool2d(like[None, None], 5, 1, 2, count_include_pad=False)[0, 0]
