"""Colours of skin and lips."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .attribute import AVERAGE, Attribute, Scale
from .mouth import lips_colour
from .view import FaceView

# Individual typology angle in degrees (Chardon 1991), the usual six steps.
_ITA = Scale(("dark", "brown", "tan", "medium", "light", "very light"), (-30, 10, 28, 41, 55), 5)
# By how much redder lips are than skin, in a of CIELAB. Of portraits, 15 % lie below and 15 % above the limits.
_LIPS = Scale(("pale", AVERAGE, "red"), (3.2, 17.5), 1.5)


def colours(view: FaceView) -> Iterator[Attribute]:
    yield _ITA.read("skin_tone", ita(view), "degrees ITA", 0.9)
    lips = lips_colour(view)
    if lips is not None:
        redder = float(lips[1] - view.skin[1])
        yield _LIPS.read("lip_colour", redder, "a", view.detail)


def ita(view: FaceView) -> float:
    lightness, _, b, _ = view.skin.tolist()
    return math.degrees(math.atan2(lightness - 50, max(b, 1e-3)))
