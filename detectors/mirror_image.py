"""The mirror image of a face."""

from __future__ import annotations

from dataclasses import replace

import torch

from .mirror import mirrored
from .parts import GROUPS, Face
from .regions import with_regions


def mirror_image(face: Face, width: int) -> Face:
    """The face in the mirror image of its picture, which is `width` pixels wide.

    It has the parts that the face has, outlined by the mesh: painted regions and covers are left out. Raises ValueError
    for a face without a mesh of known depth.
    """
    if face.depth is None or not face.scheme.startswith("mediapipe"):
        raise ValueError("a mirror image needs the landmarks of a face mesh and their depth; detect the face built in")
    x0, y0, x1, y1 = face.box
    points = mirrored(torch.cat([face.landmarks, face.depth[:, None]], 1)[None], width)[0]
    angles = None if face.angles is None else (-face.angles[0], face.angles[1], -face.angles[2])
    box = (width - x1, y0, width - x0, y1)
    image = with_regions(Face(box, face.score, points[:, :2], face.scheme, angles, depth=points[:, 2]))
    return replace(image, regions={part: one for part, one in image.regions.items() if _twin(part) in face.regions})


def _twin(part: str) -> str:
    """The part on the other side; itself for one in the middle."""
    for sides in GROUPS.values():
        if part in sides:
            return sides[1 - sides.index(part)]
    return part
