"""Which landmarks of two faces belong together, also when different detectors found them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..detectors.boxes import corners_of
from ..detectors.parts import GROUPS, Face
from ..detectors.schemes import ANCHORS_OF, SCHEMES, anchors


def shared_points(a: Face, b: Face, part: str) -> tuple[Tensor, Tensor]:
    """Corresponding points (K, 2) of `part` on both faces, in pixels of their own pictures, K >= 2.

    One numbering: every point of the part's outline. Two numberings: the named points that both have. No landmarks:
    the corners of the part's boxes. Raises PartMissing when one of them does not have the part.
    """
    a.region(part), b.region(part)
    if a.scheme and a.scheme == b.scheme and part_indices(a.scheme, part):
        indices = part_indices(a.scheme, part)
        return a.landmarks[indices], b.landmarks[indices]
    if a.scheme and b.scheme:
        ours, theirs = anchors(a.landmarks, a.scheme), anchors(b.landmarks, b.scheme)
        names = [n for n in ANCHORS_OF.get(part, tuple(ours)) if n in ours and n in theirs]
        if len(names) > 1:
            return torch.stack([ours[n] for n in names]), torch.stack([theirs[n] for n in names])
    return corners_of(a.box_of(part)), corners_of(b.box_of(part))


def part_indices(scheme: str, part: str) -> list[int]:
    """The landmarks that outline `part` in that numbering, none when it cannot."""
    rings = SCHEMES[scheme].rings
    members = GROUPS.get(part, (part,))
    return sorted({i for member in members for ring in rings.get(member, ()) for i in ring})
