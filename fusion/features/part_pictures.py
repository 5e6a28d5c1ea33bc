"""The view, what the encoder sees of a face: the whole picture as published or a close square, and masks of parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...detectors.boxes import Box
from ...detectors.conventions import fuse_any_part_boxes
from ...detectors.parts import GROUPS, Face, FaceParts, of_input
from ...detectors.progress import Progress, counted, stages
from ...detectors.regions import eye_distance
from ..area import REACH
from ..crop import FaceCrop, crop_faces
from ..masks import part_mask
from ..warp import warp_mask
from .boxes import OVERHANG, check_box

# Outer-eye distances: a part's mask goes no further beyond its outline before it fades, so that the part stays large.
_FURTHEST = 0.10
# Outer-eye distances: how far a neighbour that is left out reaches beyond its own outline.
_NEIGHBOUR_MARGIN = 0.05


@dataclass(frozen=True, eq=False)
class View:
    """B faces as the encoder sees them; boxes are y0, x0, y1, x1.

    `pictures`: (B, h, w, 3) float32, 0..1.
    `masks`: part -> (B, h, w), 0..1, 1 = the part.
    `boxes`: part -> (B, 4) in 0..1 of the view.
    `points`: (B, K, 2), landmarks as x, y in 0..1 of the view; K is 0 unless all faces have the same scheme.
    `scheme`: the landmarks' scheme, "" when K is 0.
    `box_in_picture`: (B, 4), where the view lies, in 0..1 of the picture; it may leave 0..1.
    """

    pictures: Tensor
    masks: Mapping[str, Tensor]
    boxes: Mapping[str, Tensor]
    points: Tensor
    scheme: str
    box_in_picture: Tensor


def chosen_faces(parts: FaceParts, names: Sequence[str] = ()) -> list[Face]:
    """The chosen face of every picture, each with the parts `names`.

    Raises ValueError when a picture has none, PartMissing naming the picture when its face lacks one of the parts.
    """
    faces = [parts.face(i) for i in range(len(parts))]
    missing = [str(i + 1) for i, face in enumerate(faces) if face is None]
    if missing:
        raise ValueError(
            f"parts: picture {', '.join(missing)} of {len(faces)} has no chosen face, and every picture needs one. "
            "Detect the faces with on_missing set to 'previous' or with a lower threshold, or leave that picture out"
        )
    chosen = [face for face in faces if face is not None]
    for i, face in enumerate(chosen):
        with of_input("parts", i, len(chosen)):
            for name in names:
                face.region(name)
    return chosen


def faces_of_giver(giver: str, parts: FaceParts) -> list[Face]:
    """The chosen face of every picture. Raises ValueError naming the `giver` when a picture has none."""
    try:
        return chosen_faces(parts)
    except ValueError as problem:
        raise ValueError(f"the face of the {giver} is needed, but {problem}") from None


def released_view(parts: FaceParts, names: Sequence[str], stacked: bool) -> View:
    """The whole picture; masks are boxes (`fuse_any_part_boxes`) of whole pixels, without a soft edge.

    `names`: the parts, of RELEASED_PARTS.
    `stacked`: whether the boxes touch one another, as in the published samples.

    Raises as `chosen_faces` does.
    """
    height, width = parts.size
    boxes_by_face = [fuse_any_part_boxes(face, parts.size, stacked, names) for face in chosen_faces(parts, names)]
    boxes = {name: torch.tensor([boxes[name] for boxes in boxes_by_face]) for name in names}
    masks = {name: torch.stack([box_pixels(box, parts.size) for box in rows]) for name, rows in boxes.items()}
    points, scheme = _points(parts, torch.tensor([width, height]))
    return View(parts.pictures, masks, boxes, points, scheme, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * len(parts)))


def close_view(
    parts: FaceParts,
    names: Sequence[str],
    side: int,
    align: str,
    padding: float,
    progress: Progress | None = None,
    mask: Tensor | None = None,
) -> View:
    """A square around each face; masks are outlines with a soft edge.

    `names`: the parts, of FEATURE_PARTS.
    `side`: of the square, in pixels.
    `align`, `padding`: as in `crop.crop_faces`.
    `progress`: called after each picture.
    `mask`: (B or 1, H, W) over the pictures, 0..1, 1 = may be part of a mask.

    Raises ValueError for a part of which `mask` leaves nothing, and for one whose box is empty, inverted or outside
    the view; otherwise as `chosen_faces` does.
    """
    chosen_faces(parts, names)
    crop_progress, *mask_progress = stages(progress, 1 + len(names))
    pictures, cropped, crop = crop_faces(parts, side, align, padding, crop_progress)
    faces = chosen_faces(cropped)
    boxes = {name: _view_boxes(faces, name, side) for name in names}
    masks = {
        name: torch.stack([soft_mask(face, name, (side, side)) for face in counted(faces, part_progress)])
        for name, part_progress in zip(names, mask_progress, strict=True)
    }
    if mask is not None:
        masks = _limited(masks, mask, crop)
    points, scheme = _points(cropped, torch.tensor([side, side]))
    scale, shift = crop.matrices[:, 0, 0], crop.matrices[:, :, 2]
    low, high = -shift / scale[:, None], (side - shift) / scale[:, None]
    size = torch.tensor([parts.size[1], parts.size[0]])
    box_in_picture = torch.cat([(low / size).flip(1), (high / size).flip(1)], 1).float()
    return View(pictures, masks, boxes, points, scheme, box_in_picture)


def soft_mask(face: Face, part: str, size: tuple[int, int], others: Sequence[str] = ()) -> Tensor:
    """(H, W) float32, 0..1: the part with some of the skin around it, fading out.

    Its neighbours, such as the eyes beside the nose, are left out unless they are among `others`.
    """
    unit, reach = eye_distance(face), REACH[part]
    grow = min(reach.grow, _FURTHEST) + reach.feather / 2
    mask = part_mask(face, [part], size, grow=grow * unit, feather=reach.feather * unit)
    neighbours = [name for name in reach.neighbours if face.has(name) and name not in others]
    margin = _NEIGHBOUR_MARGIN * unit
    neighbour_mask = part_mask(face, neighbours, size, grow=margin, feather=2 * margin)
    return torch.minimum(mask, 1 - neighbour_mask)


def box_pixels(box: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W) float32: 1 in the pixels of the box (4,) y0, x0, y1, x1 in 0..1, rounded, at least one pixel."""
    low, high = torch.round(box.double() * torch.tensor([*size, *size])).long().view(2, 2).tolist()
    top, left = min(low[0], size[0] - 1), min(low[1], size[1] - 1)
    mask = torch.zeros(size)
    mask[top : max(high[0], top + 1), left : max(high[1], left + 1)] = 1
    return mask


def picture_boxes(parts: FaceParts, name: str) -> Tensor:
    """(B, 4): the boxes of a part in 0..1 of the pictures, clipped. Raises ValueError for one that lies outside."""
    boxes = torch.stack([_relative(face.box_of(name), parts.size) for face in chosen_faces(parts)]).clamp(0, 1)
    if not bool((boxes[:, :2] < boxes[:, 2:]).all()):
        raise ValueError(f"parts: the {name} of a chosen face lies outside its picture; use one with the whole face")
    return boxes


def with_sides(names: Sequence[str]) -> list[str]:
    """`names`, the sides of each group among them, and each group of which both sides are among them."""
    single = {side for name in names for side in GROUPS.get(name, (name,))}
    groups = [group for group, sides in GROUPS.items() if set(sides) <= single]
    return [part for part in REACH if part in single or part in groups]


def _view_boxes(faces: Sequence[Face], name: str, side: int) -> Tensor:
    rows = []
    for i, face in enumerate(faces, 1):
        if any(region.mask is not None and not bool((region.mask > 0.5).any()) for region in face.region(name)):
            raise ValueError(
                f"the {name} in picture {i} of parts lies outside the encoder's view of the face; raise padding, or "
                "use a picture that shows it"
            )
        rows.append(_relative(face.box_of(name), (side, side)))
        check_box(rows[-1], f"the {name} in picture {i} of parts", OVERHANG)
    return torch.stack(rows)


def _limited(masks: Mapping[str, Tensor], limit: Tensor, crop: FaceCrop) -> dict[str, Tensor]:
    """The masks times `limit` (B or 1, H, W), which lies on the pictures that were cropped."""
    window = (0, 0, crop.size, crop.size)
    limits = limit.expand(len(crop.matrices), -1, -1)
    limits_in_crop = torch.stack(
        [warp_mask(one, matrix, window) for one, matrix in zip(limits, crop.matrices, strict=True)]
    )
    limited = {name: mask * limits_in_crop for name, mask in masks.items()}
    for name in masks:
        for i, (before, after) in enumerate(zip(masks[name], limited[name], strict=True), 1):
            if bool((before > 0).any()) and not bool((after > 0).any()):
                raise ValueError(
                    f"mask leaves nothing of the {name} of picture {i}; paint white what may be taken of it, or set "
                    f"{name} to 0"
                )
    return limited


def _points(parts: FaceParts, size: Tensor) -> tuple[Tensor, str]:
    faces = chosen_faces(parts)
    if len({face.scheme for face in faces}) > 1 or not faces[0].scheme:
        return torch.zeros(len(faces), 0, 2), ""
    return torch.stack([face.landmarks for face in faces]) / size, faces[0].scheme


def _relative(box: Box, size: tuple[int, int]) -> Tensor:
    """(4,): x0, y0, x1, y1 in pixels of a picture (H, W) -> y0, x0, y1, x1 in 0..1."""
    x0, y0, x1, y1 = box
    return torch.tensor([y0 / size[0], x0 / size[1], y1 / size[0], x1 / size[1]])
