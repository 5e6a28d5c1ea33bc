"""Boxes as in FuseAnyPart's published samples: eyes, nose and mouth stacked without gap or overlap."""

from __future__ import annotations

from collections.abc import Sequence

from .boxes import Box
from .parts import Face

# Measured on the published sample boxes (512 pixels: eyes y 202-259, x 160-356; nose y 259-349; mouth y 349-384). The
# samples hold no landmarks, so their eyes are assumed where an average face with that nose and mouth has them.
# How far the eye box reaches above the eye centres (over the brows) and below them (just below the lids), in heights
# from eye centres to mouth centre.
_ABOVE_EYES, _BELOW_EYES = 0.38, 0.10
# How far it reaches to each side (to the ends of the brows), in widths of both eyes.
_BESIDE_EYES = 0.155

FUSE_ANY_PART = ("eyes", "nose", "mouth")


def fuse_any_part_boxes(
    face: Face, size: tuple[int, int], stacked: bool = True, parts: Sequence[str] = FUSE_ANY_PART
) -> dict[str, tuple[float, float, float, float]]:
    """Boxes of `parts` (of FUSE_ANY_PART) as FuseAnyPart stores them: [y0, x0, y1, x1], 0..1 of the `size` (H, W).

    `stacked`: the convention of the published samples (eyes.y1 == nose.y0, nose.y1 == mouth.y0). The eye box reaches
    from the brows to just below the lids, the nose box from there to the top of the mouth. An edge whose neighbour the
    face lacks is that of the part's own region, and so is the eye box without a mouth. Without `stacked` every box is
    that of the part's own region. Boxes are clipped to the picture.

    Raises PartMissing when the face lacks one of `parts`, and ValueError when one lies outside the picture or, for
    stacked boxes, when the parts do not follow each other downwards (a face on its side or upside down).
    """
    own = {part: face.box_of(part) for part in FUSE_ANY_PART if part in parts or (stacked and face.has(part))}
    if stacked:
        own = _stacked(own)
    height, width = size
    boxes = {}
    for part in parts:
        x0, y0, x1, y1 = own[part]
        box = _within(y0 / height), _within(x0 / width), _within(y1 / height), _within(x1 / width)
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ValueError(
                f"the {part} box of this face lies outside the picture of {width} x {height} pixels; FuseAnyPart needs "
                "the parts inside it: use a picture with the whole face"
            )
        boxes[part] = box
    return boxes


def _stacked(own: dict[str, Box]) -> dict[str, Box]:
    boxes, mouth = dict(own), own.get("mouth")
    if "eyes" in own and mouth is not None:
        boxes["eyes"] = _eyes(own["eyes"], mouth)
    if "nose" in own:
        x0, y0, x1, y1 = own["nose"]
        boxes["nose"] = x0, boxes["eyes"][3] if "eyes" in own else y0, x1, y1 if mouth is None else mouth[1]
    _check_order(own, boxes)
    return boxes


def _eyes(eyes: Box, mouth: Box) -> Box:
    middle = (eyes[1] + eyes[3]) / 2
    reach, beside = (mouth[1] + mouth[3]) / 2 - middle, _BESIDE_EYES * (eyes[2] - eyes[0])
    top, bottom = min(eyes[1], middle - _ABOVE_EYES * reach), max(eyes[3], middle + _BELOW_EYES * reach)
    return eyes[0] - beside, top, eyes[2] + beside, bottom


def _check_order(own: dict[str, Box], boxes: dict[str, Box]) -> None:
    """The topmost part must end above the end of the nose and above the mouth, as far as the face has them."""
    ends = [own["nose"][3]] if "nose" in own else []
    ends += [own["mouth"][1]] if "mouth" in own else []
    starts = [boxes["eyes"][3]] if "eyes" in own else [own["nose"][1]] if "nose" in own else []
    if starts and ends and starts[0] >= min(ends):
        raise ValueError(
            "stacked boxes need eyes above nose above mouth, but this face is turned too far: make an upright crop of "
            "the face first, or use boxes that are not stacked"
        )


def _within(value: float) -> float:
    return max(0.0, min(1.0, value))
