"""What a test asks of a polygon."""

from __future__ import annotations

import torch


def contains(ring, points, slack=1e-3):
    """Whether all `points` (N, 2) lie inside the `ring` (M, 2), or outside by `slack` pixels at most."""
    start, points = ring.double(), points.double()[:, None]
    along = start.roll(-1, 0) - start
    share = ((points - start) * along).sum(-1) / along.square().sum(-1).clamp_min(1e-12)
    distance = (points - start - share.clamp(0, 1)[..., None] * along).norm(dim=-1).amin(1)
    (ax, ay), (ex, ey), (px, py) = start.T, along.T, points.movedim(-1, 0)
    crossed = ((ay <= py) != (ay + ey <= py)) & (px < ax + (py - ay) * ex / torch.where(ey == 0, 1e-12, ey))
    inside = crossed.sum(1) % 2 == 1
    return bool((torch.where(inside, -distance, distance) <= slack).all())


def is_simple(ring):
    """Whether no two sides of the `ring` (M, 2) that are not neighbours meet."""
    corners = ring.double().tolist()
    sides = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    last = len(sides) - 1
    return not any(
        _cross(*sides[i], *sides[j])
        for i in range(len(sides))
        for j in range(i + 2, len(sides) - (i == 0 and last > 1))
    )


def area(ring):
    """The area of the `ring` (M, 2), in square pixels."""
    x, y = ring.double().T
    return float((x * y.roll(-1) - y * x.roll(-1)).sum().abs() / 2)


def _cross(a, b, c, d):
    def side(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
