"""Whether two heads look in the same direction."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..detectors.parts import Face


def turned(one: Face, other: Face) -> float | None:
    """Degrees 0..180 of the rotation from one head to the other; None where a face has no angles."""
    if one.angles is None or other.angles is None:
        return None
    between = rotation(*one.angles).T @ rotation(*other.angles)
    return math.degrees(math.acos(max(-1.0, min(1.0, (float(between.trace()) - 1) / 2))))


def rotation(yaw: float, pitch: float, roll: float) -> Tensor:
    """(3, 3) float64 for angles as `detectors.pose` gives them, in degrees; x right, y down, z away from the viewer."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = [[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]]
    about_x = [[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]]
    about_z = [[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]]
    z, side, up = (torch.tensor(rows, dtype=torch.float64) for rows in (about_z, about_y, about_x))
    return z @ side @ up
