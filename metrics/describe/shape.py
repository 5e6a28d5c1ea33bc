"""The shape of the face and of the jaw."""

from __future__ import annotations

from collections.abc import Iterator

from .attribute import AVERAGE, Attribute, Scale
from .view import FaceView

_FOREHEAD, _CHIN, _CHEEKS, _JAW = 10, 152, (234, 454), (172, 397)
# Of 268 portraits, 15 % lie below the lower limits and as many above the upper ones.
_LENGTH = Scale(("round", "oval", "long"), (1.15, 1.258), 0.018)
_JAW_WIDTH = Scale(("narrow", AVERAGE, "broad"), (0.794, 0.826), 0.006)


def shape(view: FaceView) -> Iterator[Attribute]:
    yield _LENGTH.read("face_shape", face_length(view), "face widths", view.frontal * 0.8)
    yield _JAW_WIDTH.read("jaw", jaw_width(view), "face widths", view.frontal * 0.8)


def face_length(view: FaceView) -> float:
    """From the hairline to the chin, in widths of the face."""
    return view.span(_FOREHEAD, _CHIN) / max(view.span(*_CHEEKS), 1e-6)


def jaw_width(view: FaceView) -> float:
    return view.span(*_JAW) / max(view.span(*_CHEEKS), 1e-6)
