"""Faces with their regions, from the built-in detector or from landmarks, boxes or a mask that the user wires in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from .boxes import Box, centre_of
from .builtin import DEFAULT_THRESHOLD, NO_FACE, BuiltinDetector
from .given import LabelledBox, boxes_per_picture, mask_per_picture, mask_region, owner, with_mask
from .host_landmarks import faces_from_landmarks
from .parts import GROUPS, PART_CHOICES, Face, Region
from .regions import with_regions
from .selection import GivenPlace
from .visibility import without_hidden

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
    """The faces of each picture, with a region for every part that they have and that can be seen.

    `pictures`: (B, H, W, 3) float32 0..1.
    `threshold`, `smallest`: see BuiltinDetector, which searches when there are neither landmarks nor boxes.
    `landmarks`: the host's FACE_LANDMARKS, used as they are.
    `boxes`: BOUNDING_BOX in pixels, one face each. A box labelled with a part's name is that part; one of
    `eyes` or `brows` is halved.
    `mask`: (B, H, W), the area of the face or, with a part's name in `mask_is`, of that part. Faces outside of the area
    are dropped; in a picture without a face inside, the area's box is searched.

    A place in which there is no face gives none; `given_place` says which input gave it.

    Raises ValueError for input of the wrong shape, size or count.
    """
    if mask_is not in MASK_IS:
        raise ValueError(f"mask_is is '{mask_is}'; choose one of {', '.join(MASK_IS)}")
    if landmarks is not None and boxes is not None:
        raise ValueError("landmarks and boxes both say where the faces are; unplug one of them")
    if landmarks is not None:
        faces = faces_from_landmarks(landmarks, pictures)
    elif boxes is not None:
        faces = _from_boxes(boxes_per_picture(boxes, pictures), pictures, builtin)
    else:
        faces = builtin(pictures, threshold, smallest, progress)
    if mask is not None and mask_is == WHERE:
        faces = _under_mask(mask_per_picture(mask, pictures), faces, pictures, builtin)
    faces = tuple(tuple(outlined(face) for face in own) for own in faces)
    if mask is not None and mask_is != WHERE:
        faces = with_mask(faces, mask_per_picture(mask, pictures), mask_is)
    return faces


def outlined(face: Face) -> Face:
    """The face with a region for every part that its landmarks show; regions that it has already stay."""
    return without_hidden(with_regions(face), given=frozenset(face.regions))


def _from_boxes(boxes: list[list[LabelledBox]], pictures: Tensor, builtin: BuiltinDetector) -> Faces:
    face_boxes = [[labelled.box for labelled in own if labelled.label not in PART_CHOICES] for own in boxes]
    faces = [_real(own) for own in builtin.within(pictures, face_boxes)]
    for i, own in enumerate(boxes):
        for box, label, score in own:
            if label in PART_CHOICES:
                faces[i] = _with_part(faces[i], label, box, score)
    return tuple(faces)


def _with_part(faces: tuple[Face, ...], part: str, box: Box, score: float) -> tuple[Face, ...]:
    x0, y0, x1, y1 = box
    middle = centre_of(box)[0]
    halves: list[Box] = [(x0, y0, middle, y1), (middle, y0, x1, y1)] if part in GROUPS else [box]
    names = GROUPS.get(part, (part,))
    regions = {name: Region.of_box(half) for name, half in zip(names, halves, strict=True)}
    index = owner([face.box for face in faces], centre_of(box), part)
    if index is None:
        return (*faces, Face(box, score, regions=regions))
    face = replace(faces[index], regions={**faces[index].regions, **regions})
    return (*faces[:index], face, *faces[index + 1 :])


def _under_mask(masks: Tensor, faces: Faces, pictures: Tensor, builtin: BuiltinDetector) -> Faces:
    """The faces whose middle is white in the mask, or the face in the mask's box where there is none."""
    kept = [tuple(face for face in own if _is_white(mask, face)) for mask, own in zip(masks, faces, strict=True)]
    painted = [bool((mask > 0.5).any()) for mask in masks]
    boxes = [
        [mask_region(mask).box()] if white and not own else []
        for mask, white, own in zip(masks, painted, kept, strict=True)
    ]
    if any(boxes):
        kept = [own or _real(added) for own, added in zip(kept, builtin.within(pictures, boxes), strict=True)]
    return tuple(kept)


def _real(faces: tuple[Face, ...]) -> tuple[Face, ...]:
    return tuple(face for face in faces if face.score >= NO_FACE)


def given_place(landmarks: object, boxes: object, mask: Tensor | None, mask_is: str) -> GivenPlace | None:
    """What to say of a picture in which no face was found, where an input of `find_faces` says where to look."""
    if mask is not None and mask_is == WHERE:
        if not bool((mask > 0.5).any()):
            return GivenPlace("under mask, which is empty", "Paint the face white (above 0.5), or unplug mask")
        return GivenPlace("under mask", "Paint the whole face white, from the hair to the chin, or unplug mask")
    if landmarks is not None:
        return GivenPlace("in landmarks", "The node that gives them has none there: unplug landmarks")
    if boxes is not None:
        return GivenPlace("in boxes", "Draw them around whole faces, from the hair to the chin, or unplug boxes")
    return None


def _is_white(mask: Tensor, face: Face) -> bool:
    (x, y), (height, width) = centre_of(face.box), mask.shape
    return bool(mask[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)] > 0.5)
