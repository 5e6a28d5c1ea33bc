"""Whether light falls on the result's face as on the target's."""

from __future__ import annotations

import torch
from torch import Tensor

from ..detectors.parts import FaceParts
from ..detectors.regions import eye_distance
from ..fusion.coarse import gaussian, shrunk
from ..fusion.crop import crop_faces
from ..fusion.lab import to_lab
from ..fusion.masks import part_mask

# Side of the face's crop in pixels, standard deviation of the broad light in eye distances.
_SIDE, _BROAD = 128, 0.15
# Samples along a side of the map of light, and the least share of a sample that must be skin.
_SAMPLES, _SKIN = 32, 0.5
# What is not skin, and how far around it, in eye distances.
_FEATURES, _AROUND = ("left_eye", "right_eye", "left_brow", "right_brow", "mouth"), 0.05


def light_difference(result: FaceParts, target: FaceParts) -> float | None:
    """The mean difference of the broad lightness of both faces' skin, in steps of L (0..100).

    Both faces are cut upright, by their eyes, so that they may be of different sizes. `result`, `target`: one picture
    each. None where a face shows no skin in the same place as the other.
    """
    faces = [parts.face(0) for parts in (result, target)]
    if not all(face and face.scheme and face.has("skin") for face in faces):
        return None
    (mine, own), (others, their) = (_broad(parts) for parts in (result, target))
    both = torch.minimum(own, their)
    skin = both > _SKIN
    return float((mine - others).abs()[skin].mean()) if bool(skin.any()) else None


def _broad(parts: FaceParts) -> tuple[Tensor, Tensor]:
    """The broad lightness of the chosen face's skin and how much of each sample is skin, both (s, s)."""
    crops, cropped, _ = crop_faces(parts, _SIDE, "FFHQ")
    face, unit = cropped.faces[0][0], eye_distance(cropped.faces[0][0])
    features = [part for part in _FEATURES if face.has(part)]
    skin = part_mask(face, ("skin",), (_SIDE, _SIDE))
    skin = skin * (1 - part_mask(face, features, (_SIDE, _SIDE), grow=_AROUND * unit))
    light = to_lab(crops[0])[..., 0]
    stack = shrunk(torch.stack([light * skin, skin], -1), (_SAMPLES, _SAMPLES))
    blurred = gaussian(stack, _BROAD * unit * _SAMPLES / _SIDE)[0]
    return blurred[0] / blurred[1].clamp_min(1e-4), stack[0, 1]
