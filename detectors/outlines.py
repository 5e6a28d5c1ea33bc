"""Outlines from points: the convex hull, and the outline around two hulls.

They are computed for every face and from few points, so on plain numbers: on tensors the calls would cost far more than
the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = Sequence[float]
Corner = tuple[float, float]
# Corners nearer than this, in the unit of the points, are one.
_SAME = 1e-6


def convex_hull(points: Sequence[Point]) -> list[Corner]:
    """The corners of the convex hull in drawing order (Andrew's monotone chain); fewer than three have no area."""
    ordered = sorted({(x, y) for x, y in points})
    if len(ordered) < 3:
        return ordered
    return _chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]


def around_both(first: Sequence[Point], second: Sequence[Point], inside: Point) -> list[Corner]:
    """The outline around the convex hulls of two sets of points; it may be waisted where the hulls meet.

    `inside`: a point in both hulls.

    The outline is a simple polygon that contains every point: it goes around `inside` once, through the corners that
    are in neither hull's interior and the places where the hulls cross. When a set has no area, it is the hull of all
    points; when none has, the points as they came.
    """
    hulls = [convex_hull(points) for points in (first, second)]
    if any(len(hull) < 3 for hull in hulls):
        hull = convex_hull([*first, *second])
        return hull if len(hull) > 2 else [(x, y) for x, y in [*first, *second]]
    x, y = inside
    sides = [_sides([(px - x, py - y) for px, py in hull]) for hull in hulls]
    rays = []
    for across, down in sorted(((px - x, py - y) for px, py in {*hulls[0], *hulls[1]}), key=_angle):
        # One over the multiple of the ray at which it leaves each hull; linear in the ray until the next corner.
        rays.append((across, down, *(max(max(a * across + b * down for a, b in side), 1e-9) for side in sides)))
    outline = []
    for (u, v, a, b), (s, t, c, d) in zip(rays, [*rays[1:], rays[0]], strict=True):
        if min(a, b) > 1 - 1e-9:
            outline.append((x + u, y + v))
        if (a - b) * (c - d) < -1e-18:
            share = (a - b) / (a - b - c + d)
            reach = 1 / (a + share * (c - a))
            outline.append((x + reach * (u + share * (s - u)), y + reach * (v + share * (t - v))))
    # Hulls that cross beside a corner of both give it twice, as rounding has it.
    before = [outline[-1], *outline[:-1]]
    return [corner for corner, last in zip(outline, before, strict=True) if math.dist(corner, last) > _SAME]


def _angle(ray: Corner) -> float:
    return math.atan2(ray[1], ray[0])


def _sides(hull: Sequence[Corner]) -> list[Corner]:
    """For each side of the hull around the origin, (a, b) such that a * x + b * y == 1 on it."""
    sides = []
    for (x, y), (u, v) in zip(hull, [*hull[1:], hull[0]], strict=True):
        # Twice the area between the side and the origin; 0 where the hull is flat.
        area = x * v - y * u
        area = area if abs(area) > 1e-9 else 1e-9
        sides.append(((v - y) / area, (x - u) / area))
    return sides


def _chain(points: Sequence[Corner]) -> list[Corner]:
    """One half of the hull: `points` in order without those at which it would turn inwards."""
    chain: list[Corner] = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2:]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain
