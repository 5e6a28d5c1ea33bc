"""Painting parts out of a photograph with the colour of the skin around them.

The published sample has one flat colour, close to that of the skin above the eyes; its rule is not published. Ours:
the median of the cheeks, which neither hair nor a beard covers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from ...detectors.parts import Face, box_around
from ...detectors.progress import Progress, counted
from ...detectors.regions import eye_distance
from ..masks import part_mask

AUTOMATIC = "auto"
# How far the cheeks reach below the eyes, in outer-eye distances; fewer pixels than this say nothing.
_BAND, _ENOUGH = 0.6, 16


def paint_out(
    pictures: Tensor,
    masks: Tensor,
    faces: Sequence[Face],
    colour: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Pictures (B, H, W, 3) with one flat colour where `masks` (B, H, W) is 1, mixed in between 0 and 1.

    `colour` (3,) in 0..1; without it the skin colour of each face. Where the mask is 0 nothing changes.
    """
    painted = []
    for i, face in enumerate(counted(faces, progress)):
        picture, mask = pictures[i], masks[i]
        fill = skin_colour(picture, mask, face) if colour is None else colour
        painted.append(torch.lerp(picture, fill.expand_as(picture), mask[..., None]))
    return torch.stack(painted)


def skin_colour(picture: Tensor, mask: Tensor, face: Face) -> Tensor:
    """(3,) in 0..1, a multiple of 1/255: the median of the cheeks under the eyes where `mask` is 0.

    Where too little is left of them the whole face oval counts, and without an oval the whole picture.
    """
    size = (picture.shape[0], picture.shape[1])
    skin = part_mask(face, ["skin"], size) > 0.5 if face.has("skin") else torch.ones(size, dtype=torch.bool)
    x0, _, x1, y1 = face.box_of("eyes") if face.has("eyes") else box_around(tuple(face.regions.values()))
    band = torch.zeros(size, dtype=torch.bool)
    band[_span(y1, y1 + _BAND * eye_distance(face), size[0]), _span(x0, x1, size[1])] = True
    for where in (band & skin & (mask == 0), skin, torch.ones(size, dtype=torch.bool)):
        if int(where.sum()) >= _ENOUGH:
            break
    return (picture[where].median(0).values * 255).round() / 255


def read_colour(text: str) -> Tensor | None:
    """'#f5dfd1' -> (3,) in 0..1; 'auto' -> None. Raises ValueError for anything else."""
    if text.strip() == AUTOMATIC:
        return None
    found = re.fullmatch(r"#?([0-9a-fA-F]{6})", text.strip())
    if found is None:
        raise ValueError(f"fill is '{text}'; write '{AUTOMATIC}' for the skin's own colour, or one such as #f5dfd1")
    return torch.tensor([int(found[1][i : i + 2], 16) / 255 for i in (0, 2, 4)])


def _span(low: float, high: float, length: int) -> slice:
    return slice(min(max(0, int(low)), length), min(max(0, int(high)), length))
