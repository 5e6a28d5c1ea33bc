"""Each part of a face as an upright square of its own, and its encoder tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...detectors.boxes import Box
from ...detectors.parts import PART_CHOICES, Face, FaceParts, PartMissing
from ...detectors.progress import Progress, counted, stages
from ..crop import crop_faces, square_matrix
from ..strengths import check_strength, positive_strengths
from ..warp import warp_window
from .encoder import Encoder, tokens_and_unconditioned
from .part_pictures import chosen_faces
from .pixel_values import close_pixels

WHOLE = "face"
CROP_PARTS = (WHOLE, *PART_CHOICES)
# Pixels: side of the level crop in which a part's square is measured.
_LEVEL_SIDE = 512
# Its margin per side, in face sizes: room for hair and neck.
_LEVEL_PADDING = 1.0


def part_squares(parts: FaceParts, part: str, size: int, padding: float, progress: Progress | None = None) -> Tensor:
    """An upright square around one part of each chosen face.

    It is turned so that the eyes are level, and as long as the part's longer side plus the padding.

    `parts`: B pictures with their faces.
    `part`: of CROP_PARTS; "face" is the whole face.
    `size`: side of the squares in pixels.
    `padding`: margin per side, in part sizes.
    `progress`: called after each picture.

    Returns (B, size, size, 3) float32, 0..1, with the picture's border repeated beyond it.
    Raises ValueError for a picture without a chosen face, PartMissing for a part that a face does not have, or of
    which nothing can be seen.
    """
    chosen_faces(parts, [] if part == WHOLE else [part])
    if part == WHOLE:
        return crop_faces(parts, size, "upright", padding, progress)[0]
    crop_progress, square_progress = stages(progress, 2)
    _, level, crop = crop_faces(parts, _LEVEL_SIDE, "upright", _LEVEL_PADDING, crop_progress)
    squares = []
    for i, face in enumerate(counted(chosen_faces(level), square_progress)):
        if not face.shows(part):
            raise PartMissing(
                f"nothing of '{part}' can be seen on the face in picture {i + 1}, so there is no crop of it; set its "
                f"strength to 0, or detect it: {_reason(face, part)}"
            )
        square = _square(face.box_of(part), size, padding)
        matrix = crop.matrices[i] * square[0, 0]
        matrix[:, 2] += square[:, 2]
        squares.append(warp_window(parts.pictures[i], matrix, (0, 0, size, size))[0].clamp(0, 1))
    return torch.stack(squares)


def encode_crops(
    parts: FaceParts,
    encoder: Encoder,
    strengths: Mapping[str, float],
    padding: float,
    progress: Progress | None = None,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Encode each part's own square.

    `parts`: B pictures with their faces.
    `strengths`: part of CROP_PARTS -> 0..2; parts at 0 are left out.
    `padding`: margin per side of each square, in part sizes.
    `progress`: called after each picture, and after each chunk that was encoded.

    Returns part -> tokens (B, n, C); the tokens (1, n, C) of pixel values that are all zero; and the squares
    (B * parts, s, s, 3), picture by picture.
    Raises ValueError when all strengths are 0 or one is out of range, for a name that is not a part, and as
    `part_squares` does.
    """
    for part, strength in strengths.items():
        if part not in CROP_PARTS:
            raise ValueError(f"'{part}' is not a part; choose one of {', '.join(CROP_PARTS)}")
        check_strength(part, strength, 2)
    names = list(positive_strengths(strengths, "this face would steer nothing; set face or at least one part above 0"))
    *square_progress, encoder_progress = stages(progress, len(names) + 1)
    squares = [
        part_squares(parts, part, encoder.covered_side, padding, part_progress)
        for part, part_progress in zip(names, square_progress, strict=True)
    ]
    tokens, unconditioned = tokens_and_unconditioned(
        encoder, close_pixels(torch.cat(squares), encoder), encoder_progress
    )
    by_part = dict(zip(names, tokens.split(len(parts)), strict=True))
    return by_part, unconditioned, torch.stack(squares, 1).flatten(0, 1)


def _reason(face: Face, part: str) -> str:
    """Why nothing of the part can be seen on this face."""
    try:
        face.region(part)
    except PartMissing as missing:
        return str(missing)
    return f"its '{part}' is known and empty"


def _square(box: Box, size: int, padding: float) -> Tensor:
    """(2, 3) float64: a square around `box` -> a square of `size` pixels."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 1.0) * (1 + 2 * padding)
    return square_matrix((x0 + x1) / 2, (y0 + y1) / 2, side, size)
