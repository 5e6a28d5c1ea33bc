"""What a face looks like in numbers, with no net: detail of several sizes, light and colour, by place.

Vectors for `two_sample` and `frechet`, where no encoder of the user's is at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.parts import FaceParts
from ..fusion.crop import crop_faces, square_matrix
from ..fusion.lab import to_lab
from ..fusion.warp import warp_window

ENCODER = "own features"
# Side of the face's crop in pixels. In FFHQ's alignment the eyes are a quarter of it apart.
_SIDE = 128
# Octaves of detail, fields along a side in which each is measured, and samples along a side of the light.
_OCTAVES, _FIELDS, _LIGHT = 4, 8, 8
# Added to energies, in steps of L, before the logarithm: the rounding of 8 bits.
_FLOOR = 0.1
# Side of a crop around parts, in sides of the box around them.
_ROOM = 1.6


def appearance(crops: Tensor) -> Tensor:
    """(B, n) float32: vectors of crops (B, S, S, 3), 0..1, S at least 64."""
    lab = to_lab(crops).movedim(-1, 1)
    level = lab - lab.mean((2, 3), keepdim=True)
    values = [functional.adaptive_avg_pool2d(level, _LIGHT).flatten(1) / _LIGHT]
    for octave in range(_OCTAVES):
        fields = min(_FIELDS, level.shape[-1] // 4)
        for band in _details(level):
            mean = functional.adaptive_avg_pool2d(band, fields)
            values += [(mean + _FLOOR).log().flatten(1)]
            # The strongest edge of a field: a seam is thin.
            if octave < 2:
                values += [(functional.adaptive_max_pool2d(band, fields) + _FLOOR).log().flatten(1)]
        level = functional.avg_pool2d(level, 2)
    return torch.cat(values, 1)


def face_crops(parts: FaceParts, around: Sequence[str] = ()) -> Tensor:
    """(B, 128, 128, 3), 0..1: each picture's chosen face in FFHQ's alignment, or a closer crop.

    `around`: parts around which it is closer, such as "neck" for the transition of a swapped head. We call this the
    focal variant of a figure; the published ones (HS-Diffusion) are not defined.

    Raises ValueError for a picture without a face or without those parts.
    """
    for i in range(len(parts)):
        if parts.face(i) is None:
            raise ValueError(f"picture {i + 1} has no face to crop; leave it out")
    crops, cropped, _ = crop_faces(parts, 4 * _SIDE, "FFHQ")
    return torch.stack([_closer(crop, cropped, i, around) for i, crop in enumerate(crops)])


def masked(crops: Tensor, masks: Tensor) -> Tensor:
    """Crops (B, S, S, 3) that are grey where masks (B, S, S) are 0: the masked variant, for what should have stayed."""
    return 0.5 + (crops - 0.5) * masks[..., None]


def _closer(crop: Tensor, cropped: FaceParts, i: int, around: Sequence[str]) -> Tensor:
    middle, side = (crop.shape[1] / 2, crop.shape[0] / 2), float(crop.shape[0])
    face = cropped.face(i)
    if around and face is not None:
        x0, y0, x1, y1 = zip(*(face.box_of(part) for part in around), strict=True)
        middle = ((min(x0) + max(x1)) / 2, (min(y0) + max(y1)) / 2)
        side = _ROOM * max(max(x1) - min(x0), max(y1) - min(y0))
    matrix = square_matrix(*middle, side, _SIDE)
    return warp_window(crop, matrix, (0, 0, _SIDE, _SIDE))[0].clamp(0, 1)


def _details(level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sizes of the horizontal, vertical and diagonal details (Haar) of (B, C, h, w), each (B, C, h / 2, w / 2)."""
    a, b = level[:, :, ::2, ::2], level[:, :, ::2, 1::2]
    c, d = level[:, :, 1::2, ::2], level[:, :, 1::2, 1::2]
    return (a - b + c - d).abs() / 2, (a + b - c - d).abs() / 2, (a - b - c + d).abs() / 2
