"""Beard and moustache: fine detail and colour on jaw, chin and upper lip, beside those of the cheeks."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from .attribute import Attribute, Scale
from .view import FaceView

# Rings of mesh points.
_UPPER_LIP = (98, 97, 2, 326, 327, 391, 322, 410, 287, 270, 269, 267, 0, 37, 39, 40, 57, 186, 92, 165)
_CHIN = (106, 182, 83, 18, 313, 406, 335, 369, 400, 377, 152, 148, 176, 140)
_JAWS = (
    (57, 43, 106, 140, 176, 149, 150, 136, 172, 58, 215, 138, 135, 212),
    (287, 273, 335, 369, 400, 378, 379, 365, 397, 288, 435, 367, 364, 432),
)
_CHEEKS = ((117, 118, 101, 36, 205, 187, 123), (346, 347, 330, 266, 425, 411, 352))
# Logistic regressions, fitted to half of 268 portraits that were labelled by eye: weights of the logarithms of fine
# detail per lightness and of colour beside the cheeks', and the offset. Their results are logarithms of odds.
_BEARD, _MOUSTACHE = (3.23, -2.68, 7.3), (3.71, -3.82, 7.9)
# Of the colour of a jaw, the share that is paler: hair is paler than the skin between it.
_PALEST = 0.2
_YES = {"beard": Scale(("none", "beard"), (-0.4,), 0.8), "moustache": Scale(("none", "moustache"), (-0.4,), 0.8)}


def facial_hair(view: FaceView) -> Iterator[Attribute]:
    seen = view.detail * (1 - (view.face.occluded("mouth") or 0.0)) * (0.5 + 0.5 * view.frontal)
    cheeks = view.within(*_CHEEKS)
    for name, value in (("beard", beard(view, cheeks)), ("moustache", moustache(view, cheeks))):
        if value is not None:
            yield _YES[name].read(name, value, "log odds", seen)


def beard(view: FaceView, cheeks: Tensor) -> float | None:
    """The logarithm of the odds that a beard is there; None where the chin or the cheeks are out of the picture."""
    chin, jaws = view.within(_CHIN), view.within(*_JAWS)
    if min(len(chin), len(cheeks), len(jaws)) < 20:
        return None
    pale = jaws[:, 1:3].norm(dim=1).quantile(_PALEST) / cheeks[:, 1:3].mean(0).norm().clamp_min(1)
    return _odds(_BEARD, float(chin[:, 3].mean() / chin[:, 0].mean().clamp_min(1)), float(pale))


def moustache(view: FaceView, cheeks: Tensor) -> float | None:
    """The logarithm of the odds that a moustache is there; None where upper lip or cheeks are out of the picture."""
    lip = view.within(_UPPER_LIP)
    if min(len(lip), len(cheeks)) < 20:
        return None
    redness = lip[:, 1].mean().clamp_min(0.5) / cheeks[:, 1].mean().clamp_min(1)
    return _odds(_MOUSTACHE, float(lip[:, 3].mean() / lip[:, 0].mean().clamp_min(1)), float(redness))


def _odds(weights: tuple[float, float, float], detail: float, colour: float) -> float:
    by_detail, by_colour, offset = weights
    return by_detail * math.log(max(detail, 1e-3)) + by_colour * math.log(max(colour, 1e-2)) + offset
