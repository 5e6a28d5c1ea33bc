"""Masks of parts, for any node that takes a MASK."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window, window_of
from ..detectors.conventions import FUSE_ANY_PART, fuse_any_part_boxes
from ..detectors.parts import Face, FaceParts, Region, box_around, of_input
from ..detectors.progress import Progress, counted
from .dilation import dilate
from .outline import signed_distance

SHAPES = ("outline", "box", "stacked boxes")
# Samples of the distance along a mask's longer side, at most: a mask shows more detail than a blend does.
_FINEST = 256


def part_mask(
    face: Face, parts: Sequence[str], size: tuple[int, int], *, shape: str = "outline", grow: float = 0.0,
    feather: float = 0.0,
) -> Tensor:  # fmt: skip
    """The union of some parts of one face as a mask.

    `parts`: names of PART_CHOICES.
    `size`: H, W of the picture in pixels.
    `shape`: "outline" as detected; "box" around each part; "stacked boxes" as in FuseAnyPart's data (eyes, nose and
        mouth only).
    `grow`: pixels outwards; negative: inwards.
    `feather`: pixels over which the edge falls from 1 to 0, half of them on either side of the outline.

    Returns (H, W) float32, 0..1, 1 inside.
    Raises ValueError for another shape or a part that the shape does not know, PartMissing for a part that the face
    does not have.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape is '{shape}'; choose one of {', '.join(SHAPES)}")
    mask = torch.zeros(size)
    for part in parts:
        for region in _regions(face, part, size, shape):
            _draw(mask, region, grow, max(0.0, feather))
    return mask


def part_masks(
    parts: FaceParts, names: Sequence[str], *, everyone: bool = False, shape: str = "outline", grow: float = 0.0,
    feather: float = 0.0, progress: Progress | None = None,
) -> Tensor:  # fmt: skip
    """`part_mask` of each picture's chosen faces, or of all its faces.

    `parts`: B pictures with their faces.
    `names`, `shape`, `grow`, `feather`: as in `part_mask`.
    `everyone`: whether all faces of a picture count.
    `progress`: called after each picture.

    Returns (B, H, W) float32, black where a picture has no such face. Raises as `part_mask` does; a PartMissing names
    the input `parts` and the picture.
    """
    masks = torch.zeros(len(parts), *parts.size)
    for i in counted(range(len(parts)), progress):
        for face in parts.faces[i] if everyone else parts.all_chosen(i):
            with of_input("parts", i, len(parts)):
                mask = part_mask(face, names, parts.size, shape=shape, grow=grow, feather=feather)
            torch.maximum(masks[i], mask, out=masks[i])
    return masks


def oval_masks(parts: FaceParts, progress: Progress | None = None) -> Tensor:
    """(B, H, W) float32, 0..1: the oval of each chosen face, or without an oval all parts that the face has.

    `progress`: called after each picture.
    """
    masks = torch.zeros(len(parts), *parts.size)
    for i in counted(range(len(parts)), progress):
        for face in parts.all_chosen(i):
            mask = part_mask(face, ("skin",) if face.has("skin") else tuple(face.regions), parts.size)
            torch.maximum(masks[i], mask, out=masks[i])
    return masks


def _regions(face: Face, part: str, size: tuple[int, int], shape: str) -> tuple[Region, ...]:
    if shape == "outline":
        return face.region(part)
    if shape == "box":
        # A painted part that a crop cut off has no box, as it has no outline.
        whole = [region for region in face.region(part) if region.mask is None or bool((region.mask > 0.5).any())]
        return (Region.of_box(box_around(whole)),) if whole else ()
    if part not in FUSE_ANY_PART:
        raise ValueError(f"stacked boxes exist for {', '.join(FUSE_ANY_PART)} only, not for '{part}'; use shape 'box'")
    y0, x0, y1, x1 = fuse_any_part_boxes(face, size, parts=[part])[part]
    return (Region.of_box((x0 * size[1], y0 * size[0], x1 * size[1], y1 * size[0])),)


def _draw(mask: Tensor, region: Region, grow: float, feather: float) -> None:
    """Add `region` to `mask` (H, W), in place."""
    # All of the feather, not half: a painted mask is averaged by squares, which must not be cut off by the window.
    window = _window(region, max(0.0, grow) + feather + 2, (mask.shape[0], mask.shape[1]))
    if window is None:
        return
    x0, y0, x1, y1 = window
    draw = _filled if region.mask is None else _painted
    mask[y0:y1, x0:x1] = torch.maximum(mask[y0:y1, x0:x1], draw(region, window, grow, feather))


def _filled(region: Region, window: Window, grow: float, feather: float) -> Tensor:
    distance = signed_distance(region.rings, window, _FINEST)
    return (0.5 - (distance - grow) / max(1.0, feather)).clamp(0, 1)


def _painted(region: Region, window: Window, grow: float, feather: float) -> Tensor:
    """A painted region keeps its own soft edge; growing and feathering are added to it."""
    x0, y0, x1, y1 = window
    painted = torch.zeros(1, 1, y1 - y0, x1 - x0)
    column, row = region.corner
    source = region.mask if region.mask is not None else torch.zeros(0, 0)
    top, left = max(row, y0), max(column, x0)
    bottom, right = min(row + source.shape[0], y1), min(column + source.shape[1], x1)
    if top >= bottom or left >= right:
        return painted[0, 0]
    visible = source[top - row : bottom - row, left - column : right - column]
    painted[0, 0, top - y0 : bottom - y0, left - x0 : right - x0] = visible
    pixels = round(abs(grow))
    if pixels:
        sign = 1.0 if grow > 0 else -1.0
        painted = sign * dilate(sign * painted, pixels)
    soft = round(feather / 2)
    if soft:
        painted = functional.avg_pool2d(painted, 2 * soft + 1, 1, soft, count_include_pad=False)
    return painted[0, 0]


def _window(region: Region, margin: float, size: tuple[int, int]) -> Window | None:
    if region.mask is None:
        return window_of(region.box(), size, margin)
    (x, y), (height, width) = region.corner, region.mask.shape
    return window_of((x, y, x + width, y + height), size, margin)
