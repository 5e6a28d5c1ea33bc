"""Painting parts out of a photograph with the colour of the skin around them.

The published sample has one flat colour, close to that of the skin above the eyes; how it is chosen is not published.
Ours is the median of the cheeks, which neither hair nor a beard covers.
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
# Outer-eye distances: how far the cheeks reach below the eyes.
_CHEEKS = 0.6
# Pixels: a median of fewer is too uncertain.
_ENOUGH = 16


def paint_out(
    pictures: Tensor,
    masks: Tensor,
    faces: Sequence[Face],
    colour: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Paint one flat colour over each picture.

    `pictures`: (B, H, W, 3) float32, 0..1.
    `masks`: (B, H, W), 0..1, how much of a pixel is painted; where it is 0 nothing changes.
    `faces`: one for each picture.
    `colour`: (3,), 0..1; None: the skin colour of each face.
    `progress`: called after each picture.

    Returns (B, H, W, 3).
    """
    painted = []
    for i, face in enumerate(counted(faces, progress)):
        picture, mask = pictures[i], masks[i]
        fill = skin_colour(picture, mask, face) if colour is None else colour
        painted.append(torch.lerp(picture, fill.expand_as(picture), mask[..., None]))
    return torch.stack(painted)


def skin_colour(picture: Tensor, mask: Tensor, face: Face) -> Tensor:
    """The median colour of the cheeks under the eyes, where `mask` (H, W) is 0.

    Where too little of them is left, that of the whole face oval, and without an oval that of the whole picture.

    Returns (3,), 0..1, in steps of 1/255.
    """
    size = (picture.shape[0], picture.shape[1])
    skin = part_mask(face, ["skin"], size) > 0.5 if face.has("skin") else torch.ones(size, dtype=torch.bool)
    x0, _, x1, y1 = face.box_of("eyes") if face.has("eyes") else box_around(tuple(face.regions.values()))
    cheeks = torch.zeros(size, dtype=torch.bool)
    cheeks[_span(y1, y1 + _CHEEKS * eye_distance(face), size[0]), _span(x0, x1, size[1])] = True
    for area in (cheeks & skin & (mask == 0), skin, torch.ones(size, dtype=torch.bool)):
        if int(area.sum()) >= _ENOUGH:
            break
    return (picture[area].median(0).values * 255).round() / 255


def read_colour(text: str) -> Tensor | None:
    """'#f5dfd1' -> (3,), 0..1; 'auto' -> None. Raises ValueError for any other text."""
    if text.strip() == AUTOMATIC:
        return None
    match = re.fullmatch(r"#?([0-9a-fA-F]{6})", text.strip())
    if match is None:
        raise ValueError(f"fill is '{text}'; write '{AUTOMATIC}' for the skin's own colour, or one such as #f5dfd1")
    return torch.tensor([int(match[1][i : i + 2], 16) / 255 for i in (0, 2, 4)])


def _span(low: float, high: float, length: int) -> slice:
    return slice(min(max(0, int(low)), length), min(max(0, int(high)), length))
