"""Distance to outlines: one field gives masks of any growth and feather."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window
from ..detectors.outlines import convex_hull
from ..detectors.parts import Face

# Pairs of an edge and a sample that are computed together: they fit into a core's cache.
_CHUNK = 1 << 17


def hull_around(points: Tensor) -> Tensor:
    """(N, 2) -> the corners (M, 2) of the convex hull in drawing order."""
    return torch.tensor(convex_hull(points.tolist()), dtype=points.dtype)


def signed_distance(rings: Sequence[Tensor], window: Window, finest: int = 48) -> Tensor:
    """Distance in pixels to the nearest outline, negative inside; see `signed_distances`.

    Returns (h, w) float32, at the middle of each pixel of the window.
    """
    return signed_distances([rings], window, finest)[0]


def signed_distances(shapes: Sequence[Sequence[Tensor]], window: Window, finest: int = 48) -> Tensor:
    """For each shape the distance in pixels to its nearest outline, negative inside.

    `shapes`: closed outlines (N, 2) in pixels, one or more of each shape, filled by the even-odd rule.
    `window`: x0, y0, x1, y1 in pixels.
    `finest`: samples along the longer side at most; between them the distance is interpolated. It changes by at most
        one per pixel, so little is lost and large windows stay cheap.

    Returns (S, h, w) float32, at the middle of each pixel of the window.
    """
    x0, y0, x1, y1 = window
    w, h = x1 - x0, y1 - y0
    step = max(1.0, max(w, h) / finest)
    cols, rows = max(1, round(w / step)), max(1, round(h / step))
    xs = x0 + (torch.arange(cols) + 0.5) * (w / cols)
    ys = y0 + (torch.arange(rows) + 0.5) * (h / rows)
    fields = _distances_at(shapes, xs, ys)
    if (rows, cols) == (h, w):
        return fields
    return functional.interpolate(fields[None], (h, w), mode="bilinear", align_corners=False)[0]


def _distances_at(shapes: Sequence[Sequence[Tensor]], xs: Tensor, ys: Tensor) -> Tensor:
    """(S, rows, columns): the signed distances at each of `xs` (columns,) and `ys` (rows,)."""
    rings, counts = [ring.float() for rings in shapes for ring in rings], [sum(map(len, rings)) for rings in shapes]
    start = torch.cat(rings)
    edge = torch.cat([ring.roll(-1, 0) for ring in rings]) - start
    (ax, ay), (ex, ey), length = start.T[..., None], edge.T[..., None], edge.norm(dim=1, keepdim=True).clamp_min(1e-6)
    # Where two corners coincide any direction will do.
    u, v = torch.where(length > 1e-6, ex / length, 1.0), ey / length
    # Each sample as each edge sees it: how far along it from its start, and how far beside it.
    frames = torch.cat([torch.cat([u, v, -u * ax - v * ay], 1), torch.cat([-v, u, v * ax - u * ay], 1)])
    distances = []
    for some in ys.split(max(1, _CHUNK // (len(start) * len(xs)))):
        samples = torch.stack([*torch.meshgrid(xs, some, indexing="xy"), torch.ones(len(some), len(xs))])
        along, across = (frames @ samples.flatten(1)).chunk(2)
        beyond = torch.minimum(along, length).clamp_min_(0).sub_(along)
        squared = across.square_().addcmul_(beyond, beyond).split(counts)
        distances.append(torch.stack([of_shape.amin(0) for of_shape in squared]).sqrt_().view(-1, len(some), len(xs)))
    # An edge that spans the row is crossed by the ray to the left of each sample beyond the crossing.
    spans = (ay <= ys) != (ay + ey <= ys)
    first = torch.searchsorted(xs, ax + (ys - ay) * ex / torch.where(ey == 0, 1e-12, ey))
    number = torch.arange(len(shapes)).repeat_interleave(torch.tensor(counts))
    crossed = torch.zeros(len(shapes), len(ys), len(xs) + 1, dtype=torch.int32)
    crossed.index_put_((number[:, None], torch.arange(len(ys)), first), spans.int(), accumulate=True)
    inside = crossed.cumsum(2, dtype=torch.int32)[..., :-1] & 1
    return torch.cat(distances, 1).mul_(1 - 2 * inside)


def smoothstep(t: Tensor) -> Tensor:
    """0 below 0, 1 above 1, a smooth step between."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def outlines(face: Face, part: str) -> list[Tensor]:
    """The convex hulls (N, 2) of the regions of `part`, in pixels: two for a part with two sides.

    A painted region without a white pixel (a crop cut it off) has none. Raises PartMissing when the face does not have
    the part.
    """
    return [region.hull for region in face.region(part) if len(region.hull)]
