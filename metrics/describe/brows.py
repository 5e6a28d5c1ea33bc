"""The brows: thickness, arch and the gap between them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .attribute import AVERAGE, Attribute, Scale
from .view import FaceView

# Mesh points along the upper and the lower edge of each brow, from the outer to the inner end.
_BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)
# How far above and below its middle line a brow is looked for, in halves of the mesh's own height of it.
_AROUND = 1.7
_INNER = (55, 285)
# Of 268 portraits, 15 % lie below the lower limits and as many above the upper ones.
_THICKNESS = Scale(("thin", AVERAGE, "thick"), (0.041, 0.065), 0.004)
_ARCH = Scale(("straight", AVERAGE, "arched"), (0.127, 0.16), 0.005)
_GAP = Scale(("close together", AVERAGE, "far apart"), (0.259, 0.289), 0.006)


def brows(view: FaceView) -> Iterator[Attribute]:
    seen = 1 - (view.face.occluded("brows") or 0.0)
    yield _THICKNESS.read("brow_thickness", thickness(view), "eye distances", view.frontal * view.detail * seen)
    yield _ARCH.read("brow_arch", arch(view), "brow widths", view.frontal * seen)
    yield _GAP.read("brow_gap", view.span(*_INNER), "eye distances", view.frontal * seen)


def arch(view: FaceView) -> float:
    """How far the upper edge rises above the line between its ends, in widths of the brow."""
    heights = []
    for upper, _ in _BROWS:
        (x0, y0), *between, (x1, y1) = ((x, y) for x, y, _ in view.places(upper))
        width = max(math.dist((x0, y0), (x1, y1)), 1e-6)
        off = [abs((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) for x, y in between]
        heights.append(max(off) / width**2)
    return sum(heights) / 2


def thickness(view: FaceView) -> float:
    """The height of what is darker than skin where the brows are, in eye distances."""
    heights, points, skin = [], view.points.numpy(), float(view.skin[0])
    for upper, lower in _BROWS:
        top, bottom = points[list(upper)], points[list(lower)]
        middle, half = (top + bottom) / 2, (bottom - top) / 2
        lightness = view.inside([np.concatenate([middle - _AROUND * half, (middle + _AROUND * half)[::-1]])])[:, 0]
        if not len(lightness):
            continue
        dark = float(lightness.quantile(0.1))
        area = float((lightness < (skin + dark) / 2).sum()) if dark < skin else 0.0
        heights.append(area / max(1.0, math.dist(middle[0], middle[-1])) / view.scale)
    return sum(heights) / len(heights) if heights else 0.0
