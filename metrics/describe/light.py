"""The light on a face, and how sharp the picture is."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .attribute import AVERAGE, Attribute, Scale
from .view import FaceView

# Mesh points of bare skin on the left half of the picture and their mirror images.
_LEFT, _RIGHT = (50, 101, 117, 118, 205, 187, 104), (280, 330, 346, 347, 425, 411, 333)
_UPPER, _LOWER = (151, 9, 104, 333), (50, 280, 205, 425)
# By how many steps of L one half is lighter than the other.
_SIDE = Scale(("left", "even", "right"), (-9.0, 9.0), 2.0)
_ABOVE = Scale(("below", "even", "above"), (-5.0, 18.0), 4.0)
# Steps of L between the darker and the lighter tenth of the skin. 15 % of portraits lie below and above the limits.
_CONTRAST = Scale(("soft", AVERAGE, "hard"), (18.0, 44.0), 3.0)
# Fine detail of L around eyes and brows. Of portraits 95 % lie above the limits; softened by a Gaussian of 0.015 and
# 0.03 eye distances, 85 % and 92 % lie below the one and the other.
_SHARPNESS = Scale(("blurred", "slightly soft", "sharp"), (1.95, 3.2), 0.2)
_EYES = ((70, 63, 105, 66, 107, 133, 145, 33), (300, 293, 334, 296, 336, 362, 374, 263))
# Pixels of the picture between the outer corners of the eyes below which a face is small.
_SIZE = Scale(("tiny", "small", "large"), (35.0, 70.0), 5.0)


def light(view: FaceView) -> Iterator[Attribute]:
    left, right = (_lightness(view, points) for points in (_LEFT, _RIGHT))
    yield _SIDE.read("light_side", float(right.median() - left.median()), "L", view.frontal * 0.95)
    upper, lower = (_lightness(view, points) for points in (_UPPER, _LOWER))
    yield _ABOVE.read("light_height", float(upper.median() - lower.median()), "L", 0.75)
    skin = torch.cat([left, right])
    ends = skin.quantile(torch.tensor([0.1, 0.9]))
    yield _CONTRAST.read("light_hardness", float(ends[1] - ends[0]), "L", 0.8 * view.frontal)
    yield _SHARPNESS.read("sharpness", sharpness(view), "L")
    yield _SIZE.read("size", view.unit, "pixels between the outer corners of the eyes")


def sharpness(view: FaceView) -> float:
    pixels = view.within(*_EYES)
    return float(pixels[:, 3].mean()) if len(pixels) else 0.0


def _lightness(view: FaceView, points: tuple[int, ...]) -> Tensor:
    return view.around(points)[:, 0]
