"""Layouts of the head swap: five classes, and which pixels of the two photographs stay.

The classes and the two masks are those of HS-Diffusion's figures (arXiv 2212.06458). That a collar, which parsers call
neck, counts as body is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...detectors.parts import Face, PartMissing
from ...detectors.regions import eye_distance
from ..dilation import dilate
from ..masks import part_mask
from .skin import skin_colour, skin_likeness

CLASSES = ("background", "hair", "face", "neck", "body")
BACKGROUND, HAIR, FACE, NECK, BODY = range(5)
NEEDED = ("head", "hair", "neck", "body")
# Probabilities this near to 0 or 1 count as 0 or 1.
_UNSURE = 0.1
# Half the width of the thinnest collar, in eye distances.
_THINNEST = 0.03
# RGB by class as the paper draws them.
PALETTE = ((0, 0, 0), (0, 0, 128), (128, 0, 128), (128, 128, 255), (128, 128, 0))
# RGB by class as segmentation ControlNets know them: ADE20K's wall and its person, who wears hair and clothes.
ADE20K = ((120, 120, 120), *[(150, 5, 61)] * 4)


def layout_of(picture: Tensor, face: Face) -> Tensor:
    """The layout of one parsed person.

    `picture`: (H, W, 3) float32, 0..1. `face`: with the parts NEEDED.

    Returns (5, H, W) float32: for each of CLASSES its share in each pixel, 1 in sum. Ears, spectacles and hats are
    face. Raises PartMissing when the face has not been parsed.
    """
    size = (picture.shape[0], picture.shape[1])
    areas = torch.zeros(len(CLASSES), *size)
    for number, part in ((HAIR, "hair"), (FACE, "head"), (NECK, "neck"), (BODY, "body")):
        areas[number] = part_mask(face, (part,), size)
    background, hair, inner, neck, body = areas
    if face.has("skin"):
        # What covers a face moves with it.
        oval = part_mask(face, ("skin",), size)
        torch.maximum(inner, oval, out=inner)
        areas[NECK:] *= 1 - oval
    inner.sub_(hair).clamp_(0, 1)
    if bool((neck > 0.5).any()) and bool((inner > 0.8).any()):
        window = extent(neck)
        skin = _bare(picture[window], neck[window], skin_colour(picture, inner), eye_distance(face))
        body[window] += neck[window] - skin
        neck[window] = skin
    total = areas[HAIR:].sum(0)
    areas[HAIR:] /= total.clamp_min(1)
    torch.sub(1, total, out=background).clamp_(min=0)
    return areas


def extent(area: Tensor) -> tuple[slice, slice]:
    """The rows and columns in which an area (H, W), not all 0, lies."""
    rows, columns = (torch.nonzero(area.amax(axis) > 0).flatten() for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _bare(picture: Tensor, neck: Tensor, colour: Tensor, unit: float) -> Tensor:
    """The part of `neck` (h, w) 0..1 that has the skin `colour`, without the collar that parsers take for it."""
    cloth = (1 - skin_likeness(picture, colour)) * neck
    # A line in the shade of hair is thinner than any collar.
    thin = max(1, round(_THINNEST * unit))
    opened = dilate(-dilate(-cloth[None, None], thin), thin)[0, 0]
    return neck * (1 - opened)


def check_person(name: str, face: Face) -> None:
    """Raises PartMissing when the person of input `name` lacks a head, or nothing of a body is visible."""
    for part in NEEDED:
        face.region(part)
    if not face.shows("head"):
        raise PartMissing(f"{name}: the parser sees no head in the face's box; choose another face or picture")


def mixing_masks(head: Tensor, body: Tensor, keep_background: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Which pixels stay: of the head's picture, of the body's picture, of neither.

    `head`: (5, H, W), the layout of the head's picture where it comes to lie on the body's; all 0 beyond its border.
    `body`: (5, H, W), the layout of the body's picture.
    `keep_background`: whether the body's background stays too, where its own head did not cover it; the paper makes it
        anew.

    Returns m_H, m_B and the transition, (H, W) float32 0..1 each, 1 in sum. The neck is in neither mask.
    """
    m_head = _firm(head[HAIR] + head[FACE])
    m_body = _firm(body[BODY] + (body[BACKGROUND] if keep_background else 0)) * (1 - m_head)
    return m_head, m_body, 1 - m_head - m_body


def _firm(area: Tensor) -> Tensor:
    """An area 0..1 whose inside is exactly 1: what stays must come back to the bit, and parsers are never sure."""
    return ((area - _UNSURE) / (1 - 2 * _UNSURE)).clamp(0, 1)


def class_map(areas: Tensor) -> Tensor:
    """(5, H, W) -> (H, W) int64, the number of the strongest class in CLASSES."""
    return areas.argmax(0)


def drawn(areas: Tensor, palette: tuple[tuple[int, int, int], ...] = PALETTE) -> Tensor:
    """(5, H, W) -> (H, W, 3) float32 0..1, each pixel in the colour of its class."""
    return (torch.tensor(palette).float() / 255)[class_map(areas)]
