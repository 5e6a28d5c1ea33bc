"""The mouth: width, lips, smile, how far open, and teeth."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from .attribute import AVERAGE, Attribute, Scale
from .view import FaceView

_CORNERS = (61, 291)
_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
# Eye distances by which a smile widens a mouth, per lift of its corners (least squares over 268 portraits).
_SMILE_WIDENS = 1.4
# Width and lips: of those portraits, 15 % lie below the lower limit and as many above the upper one. The other limits
# separate portraits that were labelled by eye.
_WIDTH = Scale(("narrow", AVERAGE, "wide"), (0.584, 0.684), 0.015)
_LIP = Scale(("thin", AVERAGE, "full"), (0.153, 0.2), 0.008)
_OPEN = Scale(("closed", "slightly open", "open"), (0.064, 0.25), 0.02)
_SMILE = Scale(("none", "smile"), (0.0105,), 0.018)
_TEETH = Scale(("hidden", "visible"), (1.0,), 0.25)

# Opening of the mouth, in its widths, and share of it that is pale, from which teeth are seen.
_TEETH_OPENING, _TEETH_SHARE = 0.074, 0.12


def mouth(view: FaceView) -> Iterator[Attribute]:
    seen = 1 - (view.face.occluded("mouth") or 0.0)
    yield _WIDTH.read(
        "mouth_width", view.span(*_CORNERS) - _SMILE_WIDENS * corner_lift(view), "eye distances", view.frontal * seen
    )
    yield _LIP.read("lip_thickness", lip_thickness(view), "eye distances", view.frontal * view.detail * seen)
    yield _OPEN.read("mouth_open", mouth_opening(view), "mouth widths", view.detail * seen)
    yield _SMILE.read("smile", corner_lift(view), "mouth widths", seen)
    yield _TEETH.read("teeth", teeth(view), "score", view.detail * seen)


def lip_thickness(view: FaceView) -> float:
    return view.span(0, 13) + view.span(14, 17)


def mouth_opening(view: FaceView) -> float:
    """The height between the lips in widths of the mouth."""
    return view.span(13, 14) / max(view.span(*_CORNERS), 1e-6)


def corner_lift(view: FaceView) -> float:
    """How far the corners of the mouth lie above the middle between the lips, in widths of the mouth."""
    left, right, upper, lower = (y for _, y, _ in view.places((*_CORNERS, 13, 14)))
    return (upper + lower - left - right) / 2 / max(view.span(*_CORNERS), 1e-6)


def teeth(view: FaceView) -> float:
    """1 where teeth just begin to show: the mouth is open, and light pixels of little colour lie between the lips."""
    pixels = view.within(_INNER)
    if len(pixels) < 10:
        return 0.0
    chroma, skin = pixels[:, 1:3].norm(dim=1), view.skin
    pale = (chroma < 0.85 * skin[1:3].norm()) & (pixels[:, 0] > 0.6 * skin[0])
    return min(mouth_opening(view) / _TEETH_OPENING, float(pale.float().mean()) / _TEETH_SHARE)


def lips_colour(view: FaceView) -> Tensor | None:
    """(4,): the median pixel of the lips; None where they are too small."""
    pixels = view.within(_LIPS, but=_INNER)
    return pixels.median(0).values if len(pixels) >= 20 else None
