"""From landmarks to regions: the outline of every part that the numbering of the points has."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .outlines import around_both
from .parts import GROUPS, Face, Region
from .schemes import Between, Points, Scheme, anchor, scheme_of

# How far an eye reaches beyond the points on the edges of its lids, in eye distances: to the lashes above, the rim
# below, and a little beyond the corners.
_ABOVE, _BELOW, _BESIDE = 0.018, 0.010, 0.009
# How far the tip of the nose lies beside its bridge, in eye distances, in a face that looks ahead and in one that is
# turned by 20 degrees.
_AHEAD, _ASIDE = 0.03, 0.10
# Corners of an eye's outline, at equal angles.
_CORNERS = 24
_TURNS = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
# Their directions (K, 2) on an upright face, and the margins there (K, 2) in eye distances: the points of an ellipse,
# flatter below than above, at which those directions are its normals.
_DIRECTIONS = np.stack([np.cos(_TURNS), np.sin(_TURNS)], 1)
_AXES = np.stack([np.full(_CORNERS, _BESIDE), np.where(_DIRECTIONS[:, 1] > 0, _BELOW, _ABOVE)], 1)
_MARGINS = _AXES**2 * _DIRECTIONS / np.linalg.norm(_AXES * _DIRECTIONS, axis=1, keepdims=True)


def with_regions(face: Face) -> Face:
    """The same face with a region for every part that its landmarks outline. Regions that it already has are kept."""
    if not face.scheme:
        return face
    scheme = scheme_of(face.scheme, len(face.landmarks))
    if not scheme.rings:
        return face
    # Few points of every face: with numpy, these many small steps cost a fraction of what they cost with torch.
    points = face.landmarks.numpy()
    unit, turn = eye_distance(face), _upright(points, scheme)
    directions, margins = _DIRECTIONS @ turn, _MARGINS @ turn * unit
    spread = _spread(points, scheme, turn[0] / unit)
    outlines = {
        **{part: [points[list(ring)] for ring in rings] for part, rings in scheme.rings.items()},
        **{eye: [_outside(points[list(scheme.rings[eye][0])], directions, margins)] for eye in GROUPS["eyes"]},
        **{part: [_around(spread, *sets)] for part, sets in scheme.hulls.items()},
        **{part: [_along(points, line)] for part, line in scheme.between.items()},
    }
    regions = {part: Region(tuple(map(_tensor, rings))) for part, rings in outlines.items()}
    return replace(face, regions={**regions, **face.regions})


def _tensor(ring: np.ndarray) -> Tensor:
    return torch.from_numpy(ring.astype(np.float32))


def _outside(points: np.ndarray, directions: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """(K, 2): the convex outline with, for each direction, the farthest of the points (N, 2), moved by the margin."""
    return points[(directions @ points.T).argmax(1)] + margins


def _upright(points: np.ndarray, scheme: Scheme) -> np.ndarray:
    """(2, 2): the directions to the face's right and downwards, from the eyes to the mouth: no yaw turns that much.

    They are the picture's when eyes and mouth coincide.
    """
    left, right, mouth_left, mouth_right = (
        points[list(scheme.anchors[name])].mean(0) for name in ("left_eye", "right_eye", "mouth_left", "mouth_right")
    )
    x, y = (mouth_left + mouth_right - left - right).tolist()
    length = math.hypot(x, y)
    x, y = (x / length, y / length) if length > 1e-3 else (0.0, 1.0)
    return np.array([[y, -x], [x, y]])


def _spread(points: np.ndarray, scheme: Scheme, across: np.ndarray) -> np.ndarray:
    """The landmarks (N, 2), those in `scheme.spread` moved as far as the head is turned.

    `across`: (2,), the direction to the face's right, one over an eye distance long.
    """
    if not scheme.spread:
        return points
    tip, bridge = (points[list(scheme.anchors[name])].mean(0) for name in ("nose_tip", "nose_bridge"))
    share = min(1.0, max(0.0, (abs(float((tip - bridge) @ across)) - _AHEAD) / (_ASIDE - _AHEAD)))
    moved, goals = list(scheme.spread), list(scheme.spread.values())
    points = points.copy()
    points[moved] += share * (points[goals] - points[moved])
    return points


def _around(points: np.ndarray, first: Points, second: Points) -> np.ndarray:
    """(M, 2): the outline around the hulls of two sets of landmarks that overlap."""
    inside = points[sorted(set(first) & set(second))].mean(0, dtype=np.float64)
    return np.array(around_both(points[list(first)].tolist(), points[list(second)].tolist(), inside.tolist()))


def _along(points: np.ndarray, line: tuple[Between, ...]) -> np.ndarray:
    """(N, 2): for each two landmarks and share, the point on the line through them."""
    first, second, share = zip(*line, strict=True)
    start = points[list(first)]
    return start + np.array(share)[:, None] * (points[list(second)] - start)


def eye_distance(face: Face) -> float:
    """Pixels between the outer corners of the eyes, the unit of every length that scales with a face.

    That distance shrinks when the head turns, so it is at least 1.75 times the length of the nose. Without landmarks it
    is estimated from the box: a face is about 1.8 eye distances wide and high.
    """
    if not face.scheme:
        x0, y0, x1, y1 = face.box
        return max(1.0, ((x1 - x0) * (y1 - y0)) ** 0.5 / 1.8)
    named = scheme_of(face.scheme, len(face.landmarks)).anchors
    if "left_eye_outer" not in named:
        return max(1.0, 1.45 * _between(face, "left_eye", "right_eye"))
    eyes = _between(face, "left_eye_outer", "right_eye_outer")
    return max(1.0, eyes, 1.75 * _between(face, "nose_bridge", "nose_base"))


def down(face: Face) -> Tensor | None:
    """(2,), of length 1: the way from bridge to base of the nose, in the picture; None without both points."""
    named = scheme_of(face.scheme, len(face.landmarks)).anchors if face.scheme else {}
    if "nose_bridge" not in named or "nose_base" not in named:
        return None
    along = anchor(face.landmarks, named["nose_base"]) - anchor(face.landmarks, named["nose_bridge"])
    return (along / along.norm().clamp_min(1e-6)).float()


def _between(face: Face, first: str, second: str) -> float:
    named = scheme_of(face.scheme, len(face.landmarks)).anchors
    return float((anchor(face.landmarks, named[first]) - anchor(face.landmarks, named[second])).norm())
