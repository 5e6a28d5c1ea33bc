"""Hair: its colour, its length and a fringe, as far as the parser sees it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .attribute import Attribute, Scale
from .view import FaceView, filled

# Squared eye distances of hair below which a head counts as bald.
_BALD = 0.22
# How far hair reaches below the chin, in eye distances.
_LENGTH = Scale(("short", "medium-length", "long"), (-0.75, 0.3), 0.15)
_AMOUNT = Scale(("bald", "short"), (_BALD,), 0.06)
# Rows of the hair narrower than this, in eye distances, are stray strands.
_STRAND = 0.08
# Lightness of black hair and of white hair, and colour beside that of the skin from which hair is not grey.
_BLACK, _WHITE, _COLOURED = 13.5, 72.0, 0.66
# Lightness below which hair that has little colour counts as black, too, and from which coloured hair is blond.
_DARK, _BLOND = 28.0, 41.0
# Redness and its share of yellowness from which hair is red.
_RED, _REDDER = 13.0, 0.75
# Steps of L by which hair differs from other hair.
_STEP = 12.0
# Share of the forehead under hair that makes a fringe.
_FRINGE = Scale(("no fringe", "fringe"), (0.32,), 0.06)
_FOREHEAD = (10, 338, 297, 332, 333, 334, 296, 336, 107, 66, 105, 104, 103, 67, 109)


def hair(view: FaceView) -> Iterator[Attribute]:
    mask = view.mask("hair")
    if mask is None:
        return
    unit = float((view.wide_points[263] - view.wide_points[33]).norm().clamp_min(1e-3))
    area = float(mask.sum()) / unit**2
    hidden = 1 - min(1.0, 3 * (view.face.covered.get("skin", {}).get("a hat", 0.0)))
    if area < _BALD:
        yield _AMOUNT.read("hair_length", area, "squared eye distances", 0.9 * hidden)
        return
    length = _LENGTH.read("hair_length", _below_chin(view, mask, unit), "eye distances", hidden)
    yield length
    colour = hair_colour(view, mask, unit)
    if colour is not None:
        yield colour
    fringe = fringe_share(view, mask)
    if fringe is not None:
        yield _FRINGE.read("fringe", fringe, "share", view.frontal * hidden)


def _below_chin(view: FaceView, mask: Tensor, unit: float) -> float:
    """How far the hair reaches below the chin, in eye distances."""
    rows = torch.nonzero((mask > 0.5).sum(1) > _STRAND * unit).flatten()
    lowest = float(rows[-1]) if len(rows) else 0.0
    return (lowest - float(view.wide_points[152, 1])) / unit


def fringe_share(view: FaceView, mask: Tensor) -> float | None:
    """The share of the forehead that hair covers; None where the forehead is not in the picture."""
    forehead = torch.from_numpy(filled([view.wide_points[list(_FOREHEAD)].numpy()], (mask.shape[0], mask.shape[1])))
    return float(mask[forehead].mean()) if bool(forehead.any()) else None


def hair_colour(view: FaceView, mask: Tensor, unit: float) -> Attribute | None:
    """One of black, brown, blond, red, grey and white, by the median of the hair that is surely hair.

    Grey hair has less yellow than the skin in the same light.
    """
    rows = torch.arange(mask.shape[0])[:, None]
    near = rows < view.wide_points[152, 1] + 0.3 * unit
    pixels = view.wide_lab[(mask > 0.85) & near]
    if len(pixels) < 10:
        return None
    lightness, red, yellow = pixels.median(0).values.tolist()
    coloured = yellow / max(float(view.skin[2]), 4.0)
    sure = min(1.0, len(pixels) / 40)
    word, margin = _colour_word(lightness, red, yellow, coloured)
    return Attribute("hair_colour", word, lightness, "L", sure * (0.5 + 0.5 * min(1.0, margin)), _STEP)


def _colour_word(lightness: float, red: float, yellow: float, coloured: float) -> tuple[str, float]:
    """The colour, and how far it lies from its nearest limit, 1 for far."""
    chroma = (red**2 + yellow**2) ** 0.5
    if lightness < _BLACK:
        return "black", (_BLACK - lightness) / 6
    if lightness < _DARK:
        if chroma < 5:
            return "black", min(5 - chroma, (_DARK - lightness) / 2) / 4
        if red > _RED and red > _REDDER * yellow:
            return "red", (red - _RED) / 5
        return "brown", min((chroma - 5) / 4, (lightness - _BLACK) / 6)
    if coloured < _COLOURED:
        if lightness > _WHITE:
            return "white", min((lightness - _WHITE) / 6, (_COLOURED - coloured) / 0.2)
        return "grey", min((_COLOURED - coloured) / 0.2, (lightness - _DARK) / 6, (_WHITE - lightness) / 4 + 0.3)
    if red > _RED and red > _REDDER * yellow:
        return "red", (red - _RED) / 5
    if lightness >= _BLOND:
        return "blond", min((lightness - _BLOND) / 10, (coloured - _COLOURED) / 0.2)
    return "brown", min((_BLOND - lightness) / 5, 1.0)
