"""Distance to outlines: one field gives masks of any growth and feather."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window
from ..detectors.outlines import convex_hull
from ..detectors.parts import Face, Region


def hull_around(points: Tensor) -> Tensor:
    """(N, 2) -> the corners (M, 2) of the convex hull in drawing order."""
    return torch.tensor(convex_hull(points.tolist()), dtype=points.dtype)


def signed_distance(rings: Sequence[Tensor], window: Window, finest: int = 48) -> Tensor:
    """Distance in pixels to the nearest outline, negative inside.

    `rings`: closed outlines (N, 2) in pixels, filled by the even-odd rule.
    `window`: x0, y0, x1, y1 in pixels.
    `finest`: samples along the longer side at most; between them the distance is interpolated. It changes by at most
        one per pixel, so little is lost and large windows stay cheap.

    Returns (h, w) float32, at the middle of each pixel of the window.
    """
    x0, y0, x1, y1 = window
    w, h = x1 - x0, y1 - y0
    step = max(1.0, max(w, h) / finest)
    cols, rows = max(1, round(w / step)), max(1, round(h / step))
    xs = x0 + (torch.arange(cols) + 0.5) * (w / cols)
    ys = y0 + (torch.arange(rows) + 0.5) * (h / rows)
    field = _distance_at(rings, xs, ys)
    if (rows, cols) == (h, w):
        return field
    return functional.interpolate(field[None, None], (h, w), mode="bilinear", align_corners=False)[0, 0]


def _distance_at(rings: Sequence[Tensor], xs: Tensor, ys: Tensor) -> Tensor:
    """(rows, columns): the signed distance at each of `xs` (columns,) and `ys` (rows,)."""
    start = torch.cat([ring.float() for ring in rings])
    end = torch.cat([ring.float().roll(-1, 0) for ring in rings])
    px, py = xs[None, :, None], ys[:, None, None]
    ax, ay = start.T
    ex, ey = (end - start).T
    along = ((px - ax) * ex + (py - ay) * ey) / (ex * ex + ey * ey).clamp_min(1e-12)
    along = along.clamp(0, 1)
    squared = (px - ax - along * ex) ** 2 + (py - ay - along * ey) ** 2
    # An edge is crossed by the ray to the right when it spans the row and lies to the right of the sample.
    spans = (ay <= py) != (ay + ey <= py)
    right = px < ax + (py - ay) * ex / torch.where(ey == 0, 1e-12, ey)
    inside = (spans & right).sum(-1) % 2 == 1
    distance = squared.amin(-1).sqrt()
    return torch.where(inside, -distance, distance)


def smoothstep(t: Tensor) -> Tensor:
    """0 below 0, 1 above 1, a smooth step between."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def outlines(face: Face, part: str) -> list[Tensor]:
    """The convex hulls (N, 2) of the regions of `part`, in pixels: two for a part with two sides.

    A painted region without a white pixel (a crop cut it off) has none. Raises PartMissing when the face does not have
    the part.
    """
    points_by_region = [_hull_points(region) for region in face.region(part)]
    return [hull_around(points) for points in points_by_region if len(points)]


def _hull_points(region: Region) -> Tensor:
    """(N, 2): points of the region that its convex hull is the hull of."""
    if region.mask is None:
        return torch.cat(region.rings)
    # The ends of every row of white pixels: points between them are not on the hull.
    white = (region.mask > 0.5).int()
    rows = torch.nonzero(white.amax(1)).flatten()
    left, right = white[rows].argmax(1), white.shape[1] - white[rows].flip(1).argmax(1)
    ends = torch.cat([torch.stack([xs, ys], -1) for xs in (left, right) for ys in (rows, rows + 1)])
    return (ends + torch.tensor(region.corner)).float()
