"""Every part of a face as an upright square of its own, and its encoder tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...detectors.boxes import Box
from ...detectors.parts import PART_CHOICES, Face, FaceParts, PartMissing
from ...detectors.progress import Progress, counted, stages
from ..crop import crop_faces
from ..warp import warp_window
from .encode import Encoder, tokens_of
from .part_pictures import chosen_faces, close_pixels

WHOLE = "face"
CROP_PARTS = (WHOLE, *PART_CHOICES)
# The level frame in which squares are measured, with room for hair and neck around the face.
_FRAME, _ROOM = 512, 1.0


def part_squares(parts: FaceParts, part: str, size: int, padding: float, progress: Progress | None = None) -> Tensor:
    """(B, size, size, 3): an upright square around `part` of each chosen face, or around the whole of it ("face").

    Turned so that the eyes are level; as long as the part's longer side plus `padding` times that on every side.
    Beyond the picture its border is repeated. `progress` is told after each picture. Raises ValueError for a picture
    without a chosen face and PartMissing for a part that the face does not have, or of which nothing can be seen.
    """
    chosen_faces(parts, [] if part == WHOLE else [part])
    if part == WHOLE:
        return crop_faces(parts, size, "upright", padding, progress)[0]
    first, second = stages(progress, 2)
    _, level, crop = crop_faces(parts, _FRAME, "upright", _ROOM, first)
    squares = []
    for i, face in enumerate(counted(chosen_faces(level), second)):
        if not face.shows(part):
            raise PartMissing(
                f"nothing of '{part}' can be seen on the face in picture {i + 1}, so there is no crop of it; set its "
                f"strength to 0, or detect it: {_lack(face, part)}"
            )
        inner = _square(face.box_of(part), size, padding)
        matrix = crop.matrices[i] * inner[0, 0]
        matrix[:, 2] += inner[:, 2]
        squares.append(warp_window(parts.pictures[i], matrix, (0, 0, size, size))[0].clamp(0, 1))
    return torch.stack(squares)


def encode_crops(
    parts: FaceParts,
    encoder: Encoder,
    strengths: Mapping[str, float],
    padding: float,
    progress: Progress | None = None,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Tokens of each part's own square, tokens of pixel values that are all zero, and the squares.

    `strengths`: part or "face" -> 0..2; parts at 0 are left out. Returns part -> (B, n, C), (1, n, C), and pictures
    (B * parts, s, s, 3), picture by picture. `progress` is told after each picture and each chunk that was encoded.
    Raises ValueError when all strengths are 0 or one is out of range, for a name that is no part, and as
    `part_squares` does.
    """
    names = [part for part, strength in strengths.items() if _checked(part, strength) > 0]
    if not names:
        raise ValueError(
            "every part has the strength 0, so this face would steer nothing; set face or at least one part above 0"
        )
    *each, last = stages(progress, len(names) + 1)
    squares = [part_squares(parts, part, encoder.seen, padding, told) for part, told in zip(names, each, strict=True)]
    pixels = close_pixels(torch.cat(squares), encoder.size, encoder.mean, encoder.std)
    tokens = tokens_of(encoder, torch.cat([pixels, torch.zeros_like(pixels[:1])]), last)
    by_part = dict(zip(names, tokens[:-1].split(len(parts)), strict=True))
    return by_part, tokens[-1:], torch.stack(squares, 1).flatten(0, 1)


def _lack(face: Face, part: str) -> str:
    try:
        face.region(part)
    except PartMissing as missing:
        return str(missing)
    return f"its '{part}' is known and empty"


def _square(box: Box, size: int, padding: float) -> Tensor:
    """The map (2, 3) that lays a square around `box` over `size` pixels."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 1.0) * (1 + 2 * padding)
    scale = size / side
    shift = [size / 2 - scale * (x0 + x1) / 2, size / 2 - scale * (y0 + y1) / 2]
    return torch.tensor([[scale, 0, shift[0]], [0, scale, shift[1]]], dtype=torch.float64)


def _checked(part: str, strength: float) -> float:
    if part not in CROP_PARTS:
        raise ValueError(f"'{part}' is not a part; choose one of {', '.join(CROP_PARTS)}")
    if not 0 <= strength <= 2:
        raise ValueError(f"the strength of '{part}' is {strength}; it goes from 0 to 2")
    return strength
