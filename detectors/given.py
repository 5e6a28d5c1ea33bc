"""Boxes and masks that the user wires in: checked, brought to one list or mask per picture, and given to faces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .boxes import Box, centre_of
from .parts import GROUPS, LANDMARK_PARTS, PART_CHOICES, Face, Region
from .schemes import anchors


class LabelledBox(NamedTuple):
    """A box in pixels with the label ("" without one) and the score (1 without one) of the wire."""

    box: Box
    label: str
    score: float


def boxes_per_picture(boxes: object, pictures: Tensor) -> list[list[LabelledBox]]:
    """The boxes of each of the `pictures` (B, H, W, 3), clipped to the picture.

    `boxes`: what travels on the host's BOUNDING_BOX wire. A box is a dict with x, y, width and height in pixels and
    optionally "label" and "score". One box, one list of boxes or a list that holds one list serves every picture, as in
    the host; otherwise there is one list per picture.

    Raises ValueError naming the input `boxes` for another shape, another number of lists than pictures, a missing
    key, a box without area and a box wholly outside its picture.
    """
    frames = _frames(boxes)
    count, height, width = pictures.shape[:3]
    if len(frames) == 1:
        frames = frames * count
    if len(frames) != count:
        raise ValueError(
            f"boxes has {len(frames)} lists but there are {count} picture(s); wire in one box, one list of boxes, or "
            "one list for each picture"
        )
    return [
        [_clipped(box, f"box {j + 1} of list {i + 1}", width, height) for j, box in enumerate(frame)]
        for i, frame in enumerate(frames)
    ]


def _frames(boxes: object) -> list[Sequence[object]]:
    if isinstance(boxes, Mapping):
        return [[boxes]]
    if isinstance(boxes, (list, tuple)):
        if all(isinstance(box, Mapping) for box in boxes):
            return [boxes]
        if all(isinstance(frame, (list, tuple)) for frame in boxes):
            return list(boxes)
    raise ValueError(
        f"boxes is a {type(boxes).__name__} of an unknown kind; needed is one dictionary with x, y, width and "
        "height in pixels, a list of them, or a list of such lists, one for each picture"
    )


def _clipped(box: object, name: str, width: int, height: int) -> LabelledBox:
    if not isinstance(box, Mapping) or not {"x", "y", "width", "height"} <= set(box):
        raise ValueError(f"boxes: {name} is {box!r}; it needs x, y, width and height in pixels")
    x, y, w, h = (_number(box[key], f"{key} of {name}") for key in ("x", "y", "width", "height"))
    values = f"x {x:g}, y {y:g}, width {w:g}, height {h:g}"
    if not all(math.isfinite(value) for value in (x, y, w, h)) or w <= 0 or h <= 0:
        raise ValueError(f"boxes: {name} ({values}) has no area; width and height must be above 0 pixels")
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if x0 >= x1 or y0 >= y1:
        raise ValueError(
            f"boxes: {name} ({values}) lies outside its picture of {width} x {height} pixels; boxes are in pixels of "
            "this very picture, from its top left corner"
        )
    score = 1.0 if box.get("score") is None else _number(box["score"], f"score of {name}")
    return LabelledBox((x0, y0, x1, y1), str(box.get("label") or ""), score)


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"boxes: the {what} is {value!r}; it must be a number") from None


def as_masks(mask: Tensor | None, name: str = "mask") -> Tensor | None:
    """A MASK wire (H, W), (B, H, W) or (B, 1, H, W) -> (B, H, W) float32 on the CPU; None stays None.

    `name`: of the input, for messages. Raises ValueError for another shape.
    """
    if mask is None:
        return None
    _check_shape(mask, name)
    return mask.reshape(-1, *mask.shape[-2:]).cpu().float()


def _check_shape(mask: Tensor, name: str = "mask") -> None:
    shape = tuple(mask.shape)
    if mask.ndim not in (2, 3, 4) or (mask.ndim == 4 and shape[1] != 1) or 0 in shape:
        raise ValueError(f"{name} has shape {shape}; needed is (batch, height, width), 1 where the part is")


def mask_per_picture(mask: Tensor, pictures: Tensor, white: str = "") -> Tensor:
    """The mask of each of the `pictures` (B, H, W, 3): (B, H, W) float32 0..1, of their size.

    `mask`: (B, H, W), (H, W) or (B, 1, H, W). One mask serves all pictures. A mask of another size but the same aspect
    ratio is resized bilinearly.
    `white`: the meaning of white, such as "where the target may change"; with it, some of the mask must be white.

    Raises ValueError naming the input `mask` for another shape, count or aspect ratio, for values that are not finite,
    and for a mask without white where some is needed.
    """
    _check_shape(mask)
    shape, (count, height, width) = tuple(mask.shape), pictures.shape[:3]
    mask = mask.reshape(-1, *shape[-2:]).to("cpu", torch.float32)
    if not bool(torch.isfinite(mask).all()):
        raise ValueError("mask holds values that are not numbers (NaN or infinity); check the node before it")
    if len(mask) not in (1, count):
        raise ValueError(f"mask has {len(mask)} masks but there are {count} picture(s); wire in one, or one for each")
    if white and not bool((mask > 0).any()):
        raise ValueError(
            f"mask is black everywhere{_from_load_image(mask)}, so it would leave nothing: paint white {white}, or "
            "leave the mask out"
        )
    if shape[-2:] != (height, width):
        mask = _resized(mask, height, width)
    return mask.clamp(0, 1).expand(count, height, width)


def _resized(mask: Tensor, height: int, width: int) -> Tensor:
    h, w = mask.shape[-2:]
    # Equal ratio up to the rounding of one side to whole pixels.
    if min(abs(w - width * h / height), abs(width - w * height / h)) >= 1:
        raise ValueError(
            f"mask is {w} x {h} pixels{_from_load_image(mask)} but the pictures are {width} x {height}; it must have "
            "their size or their aspect ratio: paint it on this very picture, or crop both alike"
        )
    return F.interpolate(mask[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]


def _from_load_image(mask: Tensor) -> str:
    """The likely cause when a mask has the size of the black one that the host makes up."""
    hint = " (a black one of 64 x 64 pixels is what ComfyUI's Load Image gives for a picture without transparency)"
    return hint if mask.shape[-2:] == (64, 64) else ""


def with_mask(faces: Sequence[Sequence[Face]], masks: Tensor, part: str) -> tuple[tuple[Face, ...], ...]:
    """The faces of each picture; the face under the mask gets the mask as its region `part`.

    `masks`: (B, H, W) 0..1, one per picture. The face is the `owner` of the mask's centre of mass; without one, a new
    face (score 1) with the mask's bounding box is added. A mask of `eyes` or `brows` is divided into left and right. A
    picture with an empty mask keeps its faces as they are.

    Raises ValueError for a name that is not a part, for counts that differ and when every mask is empty.
    """
    if part not in PART_CHOICES:
        raise ValueError(f"'{part}' is not a part; choose one of {', '.join(PART_CHOICES)}")
    if len(faces) != len(masks):
        raise ValueError(f"mask has {len(masks)} masks but there are faces of {len(faces)} picture(s)")
    if not bool((masks > 0.5).any()):
        raise ValueError(f"mask is empty; paint the part '{part}' white (above 0.5)")
    return tuple(_masked(tuple(own), mask, part) for own, mask in zip(faces, masks, strict=True))


def _masked(faces: tuple[Face, ...], mask: Tensor, part: str) -> tuple[Face, ...]:
    if not bool((mask > 0.5).any()):
        return faces
    ys, xs = _grid(mask)
    total = mask.sum()
    centre = float((xs * mask).sum() / total), float((ys * mask).sum() / total)
    index = owner([face.box for face in faces], centre, part)
    if index is None:
        faces, index = (*faces, Face(mask_region(mask).box(), 1.0)), len(faces)
    face = faces[index]
    regions = {name: mask_region(area) for name, area in _sides(mask, part, face).items() if bool((area > 0.5).any())}
    return (*faces[:index], replace(face, regions={**face.regions, **regions}), *faces[index + 1 :])


def owner(boxes: Sequence[Box], point: tuple[float, float], part: str) -> int | None:
    """Index of the face box that a part centred on `point` (x, y) belongs to, None when there is none.

    Among the boxes around the point it is the one with the nearest centre. Parts that reach beyond a face's box (hair,
    neck, ears, head, background) belong to the nearest face even when they are centred outside of every box.
    """
    x, y = point
    inside = [i for i, box in enumerate(boxes) if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
    within = set(GROUPS.get(part, (part,))) <= LANDMARK_PARTS
    candidates = inside or ([] if within else list(range(len(boxes))))
    return min(candidates, key=lambda i: math.dist(point, centre_of(boxes[i])), default=None)


def mask_region(mask: Tensor) -> Region:
    """A mask of the whole picture (H, W), not all zeros -> a Region that keeps only its bounding box."""
    rows, columns = torch.nonzero(mask.amax(1) > 0).flatten(), torch.nonzero(mask.amax(0) > 0).flatten()
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    return Region(mask=mask[top : bottom + 1, left : right + 1].clone(), corner=(left, top))


def _sides(mask: Tensor, part: str, face: Face) -> dict[str, Tensor]:
    """The part's mask, or that of a group divided halfway between the face's eyes (between the box's sides)."""
    if part not in GROUPS:
        return {part: mask}
    ys, xs = _grid(mask)
    ax, ay, bx, by = face.box[0], centre_of(face.box)[1], face.box[2], centre_of(face.box)[1]
    if face.scheme:
        named = anchors(face.landmarks, face.scheme)
        (ax, ay), (bx, by) = named["left_eye"].tolist(), named["right_eye"].tolist()
    right = (xs - (ax + bx) / 2) * (bx - ax) + (ys - (ay + by) / 2) * (by - ay) > 0
    left_name, right_name = GROUPS[part]
    return {left_name: mask * ~right, right_name: mask * right}


def _grid(mask: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = (torch.arange(n, device=mask.device) + 0.5 for n in mask.shape)
    return rows[:, None], columns[None, :]
