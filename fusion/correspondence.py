"""Corresponding points of two faces, also when different detectors found them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..detectors.boxes import corners_of
from ..detectors.parts import GROUPS, Face
from ..detectors.schemes import ANCHORS_OF, SCHEMES, anchors


def shared_points(a: Face, b: Face, part: str) -> tuple[Tensor, Tensor]:
    """Corresponding points of `part` on both faces.

    In one landmark scheme: every point of the part's outline. In two: the named points that both have. Without
    landmarks: the corners of the part's boxes.

    Returns two (K, 2), K >= 2, in pixels of each face's own picture. Raises PartMissing when a face does not have the
    part.
    """
    a.region(part), b.region(part)
    if a.scheme and a.scheme == b.scheme and part_indices(a.scheme, part):
        indices = part_indices(a.scheme, part)
        return a.landmarks[indices], b.landmarks[indices]
    if a.scheme and b.scheme:
        points = _named_points(a, b, ANCHORS_OF.get(part))
        if points is not None:
            return points
    return corners_of(a.box_of(part)), corners_of(b.box_of(part))


def face_points(a: Face, b: Face) -> tuple[Tensor, Tensor]:
    """Corresponding points of both whole faces: the named points that both have, else the corners of their boxes."""
    points = _named_points(a, b) if a.scheme and b.scheme else None
    return points or (corners_of(a.box), corners_of(b.box))


def _named_points(a: Face, b: Face, names: Sequence[str] | None = None) -> tuple[Tensor, Tensor] | None:
    """The points of these names, default all, that both faces have; None when there are fewer than two."""
    points, others = anchors(a.landmarks, a.scheme), anchors(b.landmarks, b.scheme)
    shared = [name for name in names or tuple(points) if name in points and name in others]
    if len(shared) < 2:
        return None
    return torch.stack([points[name] for name in shared]), torch.stack([others[name] for name in shared])


def part_indices(scheme: str, part: str) -> list[int]:
    """The landmarks that outline `part` in that scheme, in ascending order; empty when it does not outline it."""
    rings = SCHEMES[scheme].rings
    members = GROUPS.get(part, (part,))
    return sorted({i for member in members for ring in rings.get(member, ()) for i in ring})
