"""Whether a box y0, x0, y1, x1 can be used; 0..1 is the picture or the encoder's view."""

from __future__ import annotations

from torch import Tensor

# How far a part may leave the view of a face, in views: hair and shoulders reach beyond it.
OVERHANG = 8.0


def check_box(box: Tensor, name: str, overhang: float = 0.0) -> tuple[float, float, float, float]:
    """The four numbers of a box.

    `box`: (4,) float, y0, x0, y1, x1.
    `name`: whose box it is, for the error.
    `overhang`: how far it may leave 0..1.

    Raises ValueError for numbers that are not finite, and for a box that is empty or inverted, leaves 0..1 by more
    than `overhang`, or lies wholly outside.
    """
    y0, x0, y1, x1 = box.tolist()
    low, high = -overhang, 1 + overhang
    if not (low <= y0 < y1 <= high and low <= x0 < x1 <= high and min(y1, x1) > 0 and max(y0, x0) < 1):
        where = "partly inside 0..1" if overhang else "in 0..1"
        raise ValueError(
            f"the box of {name} is y0 {y0:g}, x0 {x0:g}, y1 {y1:g}, x1 {x1:g}; needed are numbers {where} with y0 "
            "below y1 and x0 below x1. Detect the face again in a picture that shows all of it"
        )
    return y0, x0, y1, x1
