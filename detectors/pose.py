"""Head angles from a face mesh with depth."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Mesh points that mirror each other, and the ends of the middle line. In the canonical face model both ends lie at the
# same depth, so a face that looks straight ahead has zero pitch.
_LEFT = (33, 133, 234)
_RIGHT = (263, 362, 454)
_FOREHEAD, _CHIN = 10, 152


def angles_of(points3d: Tensor) -> tuple[float, float, float]:
    """Mesh points (468 or 478, 3) -> yaw, pitch, roll in degrees.

    x to the right, y down, z away from the viewer, all three in one unit. Yaw > 0 looks to the picture's right,
    pitch > 0 looks up, roll > 0 is turned clockwise in the picture. Yaw and pitch are those of the face after the roll
    is undone. Raises ValueError for another shape.
    """
    if points3d.ndim != 2 or points3d.shape[0] not in (468, 478) or points3d.shape[1] != 3:
        raise ValueError(f"head angles need mesh points (468 or 478, 3); came {tuple(points3d.shape)}")
    points = points3d.double()
    across = _unit((points[list(_RIGHT)] - points[list(_LEFT)]).sum(0))
    down = points[_CHIN] - points[_FOREHEAD]
    down = _unit(down - (down @ across) * across)
    gaze = -torch.linalg.cross(across, down)
    roll = math.atan2(across[1], across[0])
    x = math.cos(roll) * gaze[0] + math.sin(roll) * gaze[1]
    y = math.cos(roll) * gaze[1] - math.sin(roll) * gaze[0]
    yaw, pitch = math.atan2(x, -gaze[2]), math.asin(max(-1.0, min(1.0, -float(y))))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm().clamp_min(1e-12)
