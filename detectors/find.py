"""Faces with their regions, from whatever is at hand: the built-in detector, wired landmarks, boxes or a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .builtin import DEFAULT_THRESHOLD, BuiltinDetector
from .given import GivenBox, boxes_per_picture, mask_per_picture, mask_region, owner, with_mask
from .host_landmarks import faces_from_landmarks
from .parts import GROUPS, PART_CHOICES, Box, Face, Region
from .regions import with_regions

WHERE = "where the face is"
MASK_IS = (WHERE, *PART_CHOICES)

Faces = tuple[tuple[Face, ...], ...]


def find_faces(
    pictures: Tensor,
    builtin: BuiltinDetector,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    smallest: int = 32,
    landmarks: object = None,
    boxes: object = None,
    mask: Tensor | None = None,
    mask_is: str = WHERE,
    progress: Callable[[int, int], None] | None = None,
) -> Faces:
    """Pictures (B, H, W, 3) float32 0..1 -> the faces of each picture, with a region for every part they have.

    `landmarks`: the host's FACE_LANDMARKS, taken as they are. `boxes`: BOUNDING_BOX in pixels, one face each (a box
    labelled with a part's name is that part, halved for `eyes` and `brows`). Neither: the built-in detector searches.
    `mask` (B, H, W) says where the face is (others are dropped; where none was found, its box is searched), or, with
    a part's name in `mask_is`, is that part's region. Raises ValueError for input of the wrong shape, size or count.
    """
    if mask_is not in MASK_IS:
        raise ValueError(f"mask_is is '{mask_is}'; choose one of {', '.join(MASK_IS)}")
    if landmarks is not None and boxes is not None:
        raise ValueError("landmarks and boxes both say where the faces are; unplug one of them")
    if landmarks is not None:
        found = faces_from_landmarks(landmarks, pictures)
    elif boxes is not None:
        found = _from_boxes(boxes_per_picture(boxes, pictures), pictures, builtin)
    else:
        found = builtin(pictures, threshold, smallest, progress)
    if mask is not None and mask_is == WHERE:
        found = _under(mask_per_picture(mask, pictures), found, pictures, builtin)
    found = _outlined(found)
    if mask is not None and mask_is != WHERE:
        found = with_mask(found, mask_per_picture(mask, pictures), mask_is)
    return found


def _outlined(found: Sequence[Sequence[Face]]) -> Faces:
    return tuple(tuple(with_regions(face) for face in faces) for faces in found)


def _from_boxes(given: list[list[GivenBox]], pictures: Tensor, builtin: BuiltinDetector) -> Faces:
    whole = [[box for box, label, _ in boxes if label not in PART_CHOICES] for boxes in given]
    found = list(builtin.within(pictures, whole))
    for i, boxes in enumerate(given):
        for box, label, score in boxes:
            if label in PART_CHOICES:
                found[i] = _with_part(found[i], label, box, score)
    return tuple(found)


def _with_part(faces: tuple[Face, ...], part: str, box: Box, score: float) -> tuple[Face, ...]:
    x0, y0, x1, y1 = box
    middle = (x0 + x1) / 2
    halves = [(x0, middle), (middle, x1)] if part in GROUPS else [(x0, x1)]
    regions = {
        name: Region((torch.tensor([[left, y0], [right, y0], [right, y1], [left, y1]]),))
        for name, (left, right) in zip(GROUPS.get(part, (part,)), halves, strict=True)
    }
    index = owner([face.box for face in faces], (middle, (y0 + y1) / 2), part)
    if index is None:
        return (*faces, Face(box, score, regions=regions))
    face = replace(faces[index], regions={**faces[index].regions, **regions})
    return (*faces[:index], face, *faces[index + 1 :])


def _under(masks: Tensor, found: Faces, pictures: Tensor, builtin: BuiltinDetector) -> Faces:
    """Only the faces whose middle is white in the mask; where there is none, the one that the mask's box holds."""
    kept = [tuple(face for face in faces if _white(mask, face)) for mask, faces in zip(masks, found, strict=True)]
    painted = [bool((mask > 0.5).any()) for mask in masks]
    if not any(painted):
        raise ValueError("mask is empty; paint the face white (above 0.5), or leave the mask out")
    wanted = [
        [mask_region(mask).box()] if white and not faces else []
        for mask, white, faces in zip(masks, painted, kept, strict=True)
    ]
    if any(wanted):
        more = builtin.within(pictures, wanted)
        kept = [faces or extra for faces, extra in zip(kept, more, strict=True)]
    return tuple(kept)


def _white(mask: Tensor, face: Face) -> bool:
    x = min(max(int((face.box[0] + face.box[2]) / 2), 0), mask.shape[1] - 1)
    y = min(max(int((face.box[1] + face.box[3]) / 2), 0), mask.shape[0] - 1)
    return bool(mask[y, x] > 0.5)
