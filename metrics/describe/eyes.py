"""The eyes: how far open, their shape and distance, where they look, and the colour of the iris."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .attribute import AVERAGE, Attribute, Scale
from .view import PIXELS, FaceView, filled

# Mesh points of each eye: outer and inner corner, three pairs of upper and lower lid.
_EYES = (
    (33, 133, ((160, 144), (159, 145), (158, 153))),
    (263, 362, ((387, 373), (386, 374), (385, 380))),
)
_IRISES = (468, 473)
# Where the pupil ends and the rim begins, in radii of the iris.
_PUPIL, _RIM = 0.45, 0.9
# Points of the lids' edges.
_RINGS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
_OPENNESS = Scale(("closed", "narrowed", "open", "wide open"), (0.1, 0.19, 0.4), 0.02)
_DISTANCE = Scale(("close-set", AVERAGE, "wide-set"), (1.18, 1.33), 0.02)
_TILT = Scale(("downturned", AVERAGE, "upturned"), (0.6, 3.9), 0.6)
# Logistic regression of the irises of 67 portraits that were labelled by eye.
_LIGHTNESS, _REDNESS = 11.8, 10.0
_IRIS = Scale(("brown", "light"), (1.66,), 1.0)
_ACROSS = Scale(("left", "ahead", "right"), (-0.2, 0.2), 0.05)


def eyes(view: FaceView) -> Iterator[Attribute]:
    openness = eye_openness(view)
    yield _OPENNESS.read("eye_openness", openness, "eye widths", view.detail * _seen(view))
    yield _TILT.read("eye_shape", _tilt(view), "degrees", view.frontal * view.detail)
    widths = (view.span(33, 133) + view.span(362, 263)) / 2
    yield _DISTANCE.read("eye_distance", view.span(133, 362) / max(widths, 1e-6), "eye widths", view.frontal)
    if view.face.scheme == "mediapipe478" and openness > _OPENNESS.limits[0]:
        yield _ACROSS.read("gaze", gaze_across(view), "half eye widths", view.frontal * view.detail)
        colour = iris_colour(view)
        if colour is not None:
            yield colour


def eye_openness(view: FaceView) -> float:
    """The height of the eyes between the lids in widths of an eye, the mean of both."""
    shares = []
    for outer, inner, lids in _EYES:
        heights = [view.span(upper, lower) for upper, lower in lids]
        shares.append(sum(heights) / len(heights) / max(view.span(outer, inner), 1e-6))
    return sum(shares) / len(shares)


def gaze_across(view: FaceView) -> float:
    """How far the irises lie to the right of the middle of their eyes, in halves of an eye's width; the mean."""
    shares = []
    for (outer, inner, _), iris in zip(_EYES, _IRISES, strict=True):
        first, second, (x, y) = view.points[[outer, inner, iris]].tolist()
        (x0, y0), (x1, y1) = sorted((first, second))
        along = ((x1 - x0) / 2, (y1 - y0) / 2)
        offset = (x - (x0 + x1) / 2, y - (y0 + y1) / 2)
        shares.append((offset[0] * along[0] + offset[1] * along[1]) / max(along[0] ** 2 + along[1] ** 2, 1e-9))
    return sum(shares) / len(shares)


def _seen(view: FaceView) -> float:
    """0..1: how much of the eyes is visible."""
    cover = view.face.occluded("eyes")
    return 1.0 if cover is None else max(0.0, 1 - cover)


def _tilt(view: FaceView) -> float:
    """By how many degrees the outer corner lies higher than the inner one, the mean of both eyes."""
    degrees = []
    for outer, inner, _ in _EYES:
        (x0, y0, _), (x1, y1, _) = view.places((outer, inner))
        degrees.append(math.degrees(math.atan2(y1 - y0, abs(x0 - x1) + 1e-6)))
    return sum(degrees) / 2


def iris_pixels(view: FaceView) -> Tensor:
    """(n, 4) pixels of both irises: between pupil and rim, and between the lids."""
    pixels, points = [np.zeros((0, 4), np.float32)], view.points.numpy()
    for first, ring in zip(_IRISES, _RINGS, strict=True):
        middle = points[first]
        radius = float(np.hypot(*(points[first + 1 : first + 5] - middle).T).mean())
        x0, y0 = (int(low) for low in np.floor(middle - radius))
        x1, y1 = (int(high) + 1 for high in np.ceil(middle + radius))
        if x0 < 0 or y0 < 0 or x1 > PIXELS or y1 > PIXELS or radius < 2:
            continue
        rows, columns = np.ogrid[y0:y1, x0:x1]
        away = np.hypot(columns + 0.5 - middle[0], rows + 0.5 - middle[1]) / radius
        between_lids = filled([points[list(ring)] - np.array([x0, y0], np.float32)], (y1 - y0, x1 - x0))
        pixels.append(view.array[y0:y1, x0:x1][(away > _PUPIL) & (away < _RIM) & between_lids])
    return torch.from_numpy(np.concatenate(pixels))


def iris_colour(view: FaceView) -> Attribute | None:
    """Brown, or light: blue, green or grey. Light irises are lighter and less red than brown ones, beside the skin."""
    pixels = iris_pixels(view)
    if len(pixels) < 12:
        return None
    lightness, red, *_ = pixels.median(0).values.tolist()
    skin = view.skin.clamp_min(1.0)
    value = _LIGHTNESS * lightness / float(skin[0]) - _REDNESS * red / float(skin[1])
    return _IRIS.read("iris_colour", value, "score", view.detail)
