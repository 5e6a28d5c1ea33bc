"""Corrections of the parser's probabilities by what cannot be: ground inside a face, hair far from any hair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .boxes import bounding_box, window_of
from .parser_net import CLASSES
from .parser_views import RADIUS, Cells

_OCCLUDER = CLASSES.index("occluder")
# Share of the face's outline, about its middle, inside which nothing but the face can be seen unless it is covered.
_INNER = 0.82
# Something in front of the face covers at least this much of it, in squared distances between the eyes; red cheeks and
# shadows that are taken for that cover less.
_LEAST_OCCLUDER = 0.3
# Probability below which a class is not worth a pixel.
_TRACE = 0.02


def move(probabilities: Tensor, classes: Sequence[str], to: str, where: Tensor) -> None:
    """Give the probability (10, h, w) of `classes` to the class `to`, as far as `where` (h, w) 0..1 says; in place."""
    for name in classes:
        own = probabilities[CLASSES.index(name)]
        share = own * where
        probabilities[CLASSES.index(to)] += share
        own -= share


def cells_of(coarse: Tensor, *classes: str) -> Cells | None:
    """The rectangle of cells outside which none of the `classes` is likely; None where none is seen at all."""
    seen = coarse[[CLASSES.index(name) for name in classes]].sum(0)
    rows, columns = (torch.nonzero(seen.amax(axis) > _TRACE).flatten() for axis in (1, 0))
    if not len(rows):
        return None
    # One more for the interpolation; strands reach as far as the filter's two boxes.
    more = 4 * RADIUS + 4 if "hair" in classes else 1
    height, width = seen.shape
    (top, bottom), (left, right) = ((int(index[0]), int(index[-1]) + 1) for index in (rows, columns))
    return slice(max(0, top - more), min(bottom + more, height)), slice(max(0, left - more), min(right + more, width))


def clear_hair(coarse: Tensor) -> None:
    """Traces of hair far from any count as background: strands are looked for near hair only. In place."""
    far, cells = torch.ones(_size_of(coarse)), cells_of(coarse, "hair")
    if cells is not None:
        far[cells] = 0
    move(coarse, ("hair",), "background", far)


def mend_occluders(coarse: Tensor, oval: Tensor, unit: float) -> None:
    """What covers the face, and what is only taken for that. In place.

    `oval`: (N, 2), the face's outline in cells. `unit`: cells per distance between the eyes.
    """
    box = window_of(bounding_box(oval), _size_of(coarse))
    inside = torch.zeros(_size_of(coarse))
    if box is not None:
        x0, y0, x1, y1 = box
        own, corner, size = coarse[:, y0:y1, x0:x1], torch.tensor([x0, y0]), (y1 - y0, x1 - x0)
        inner = oval.mean(0) + _INNER * (oval - oval.mean(0))
        # Neck, clothes or ground seen in the middle of the face cover it: a hand has the neck's colour.
        move(own, ("background", "neck", "body", "ears"), "occluder", filled(inner - corner, size))
        face = filled(oval - corner, size)
        if float((own[_OCCLUDER] * face).sum()) < _LEAST_OCCLUDER * unit**2:
            move(own, ("occluder",), "face", face)
        inside[y0:y1, x0:x1] = face
    _in_front_of_the_body(coarse, 1 - inside)


def _in_front_of_the_body(coarse: Tensor, outside: Tensor) -> None:
    """What covers neck or clothes `outside` (h, w) the face counts as these, as it covers no face. In place."""
    occluder, neck, body = (coarse[CLASSES.index(name)] for name in ("occluder", "neck", "body"))
    both = neck + body
    share = outside * (both > 1 - both - occluder) * occluder / both.clamp(min=1e-6)
    taken = both * share
    neck += neck * share
    body += body * share
    occluder -= taken


def _size_of(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]


def filled(ring: Tensor, size: tuple[int, int]) -> Tensor:
    """The area (H, W) 0 or 1 inside a closed outline (N, 2) in pixels."""
    image = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in ring], fill=1)
    return torch.from_numpy(np.array(image)).float()
