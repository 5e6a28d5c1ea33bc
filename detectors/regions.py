"""From landmarks to regions: the outline of every part that the numbering of the points has."""

from __future__ import annotations

from dataclasses import replace

from .parts import Face, Region
from .schemes import anchor, scheme_of


def with_regions(face: Face) -> Face:
    """The same face with a region for every part that its landmarks outline. Regions that it already has are kept."""
    if not face.scheme:
        return face
    scheme = scheme_of(face.scheme, len(face.landmarks))
    regions = {
        part: Region(tuple(face.landmarks[list(ring)] for ring in rings)) for part, rings in scheme.rings.items()
    }
    return replace(face, regions={**regions, **face.regions})


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


def _between(face: Face, first: str, second: str) -> float:
    named = scheme_of(face.scheme, len(face.landmarks)).anchors
    return float((anchor(face.landmarks, named[first]) - anchor(face.landmarks, named[second])).norm())
