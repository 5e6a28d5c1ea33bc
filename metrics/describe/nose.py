"""The nose: its length and its width."""

from __future__ import annotations

from collections.abc import Iterator

from .attribute import AVERAGE, Attribute, Scale
from .mouth import corner_lift
from .view import FaceView

_BRIDGE, _BASE, _WINGS = 168, 2, (129, 358)
# Eye distances by which a smile widens a nose, per lift of the corners of the mouth (least squares over 268 portraits).
_SMILE_WIDENS = 0.42
# Of those portraits, 15 % lie below the lower limits and as many above the upper ones.
_LENGTH = Scale(("short", AVERAGE, "long"), (0.533, 0.599), 0.01)
_WIDTH = Scale(("narrow", AVERAGE, "wide"), (0.469, 0.515), 0.008)


def nose(view: FaceView) -> Iterator[Attribute]:
    yield _LENGTH.read("nose_length", view.span(_BRIDGE, _BASE), "eye distances", view.frontal)
    yield _WIDTH.read(
        "nose_width", view.span(*_WINGS) - _SMILE_WIDENS * corner_lift(view), "eye distances", view.frontal
    )
