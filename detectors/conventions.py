"""The boxes of FuseAnyPart's published samples: eyes, nose and mouth stacked without gap or overlap."""

from __future__ import annotations

from .parts import Box, Face

# Read off the published sample boxes (512 pixels: eyes y 202-259, x 160-356; nose y 259-349; mouth y 349-384), the eyes
# put where they lie in an average face of that nose and mouth, since the samples hold no landmarks. In units of the
# height from eye centres to mouth centre the eye box reaches over the brows and just below the lids; sideways, in
# widths of both eyes, it reaches the ends of the brows.
_ABOVE_EYES, _BELOW_EYES, _BESIDE_EYES = 0.38, 0.10, 0.17

_PARTS = ("eyes", "nose", "mouth")


def fuse_any_part_boxes(
    face: Face, size: tuple[int, int], stacked: bool = True
) -> dict[str, tuple[float, float, float, float]]:
    """Boxes of eyes, nose and mouth as FuseAnyPart stores them: [y0, x0, y1, x1], 0..1 of the picture `size` (H, W).

    `stacked` is the convention of the published samples (eyes.y1 == nose.y0, nose.y1 == mouth.y0): the eye box reaches
    from the brows to just below the lids, the nose box from there to the top of the mouth. Otherwise each box is its
    region's own. Boxes are clipped to the picture.

    Raises PartMissing when the face lacks one of the parts, ValueError when a part lies outside the picture, and, for
    stacked boxes, when the parts do not follow each other downwards (a face that lies on its side or upside down).
    """
    eyes, nose, mouth = (face.box_of(part) for part in _PARTS)
    if stacked:
        eyes, nose, mouth = _stacked(eyes, nose, mouth)
    height, width = size
    boxes = {}
    for part, (x0, y0, x1, y1) in zip(_PARTS, (eyes, nose, mouth), strict=True):
        box = _within(y0 / height), _within(x0 / width), _within(y1 / height), _within(x1 / width)
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ValueError(
                f"the {part} box of this face lies outside the picture of {width} x {height} pixels; FuseAnyPart needs "
                "eyes, nose and mouth inside it: use a picture with the whole face"
            )
        boxes[part] = box
    return boxes


def _stacked(eyes: Box, nose: Box, mouth: Box) -> tuple[Box, Box, Box]:
    middle = (eyes[1] + eyes[3]) / 2
    reach = (mouth[1] + mouth[3]) / 2 - middle
    top = min(eyes[1], middle - _ABOVE_EYES * reach)
    below_eyes = max(eyes[3], middle + _BELOW_EYES * reach)
    if below_eyes >= min(nose[3], mouth[1]):
        raise ValueError(
            "stacked boxes need eyes above nose above mouth, but this face is turned too far: put it upright with "
            "FaceCropAlign first, or use boxes that are not stacked"
        )
    beside = _BESIDE_EYES * (eyes[2] - eyes[0])
    return (
        (eyes[0] - beside, top, eyes[2] + beside, below_eyes),
        (nose[0], below_eyes, nose[2], mouth[1]),
        mouth,
    )


def _within(value: float) -> float:
    return max(0.0, min(1.0, value))
