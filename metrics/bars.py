"""A picture that answers whether it took: the photographs above, a bar for every question below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..detectors.boxes import bounding_box
from ..detectors.parts import FaceParts
from ..detectors.picture import as_bytes
from ..detectors.preview import AMBER, GREEN, INK, RED, Colour
from ..fusion.warp import warp_window
from .figures import QUESTIONS, Figures

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
# Pixels: width of the picture, and of a margin; height of a row; size of the type.
_WIDTH, _MARGIN, _ROW, _TYPE = 1024, 24, 40, 22
# Where bars begin and end.
_FROM, _TO = 470, 850
_TEXT, _DIM, _EMPTY = (236, 239, 241), (144, 154, 162), (52, 54, 62)
# Fullness of a bar up to which it is red, and up to which it is amber.
_BAD, _FAIR = 1 / 3, 2 / 3
# Side of a face's square, in face heights.
_ROOM = 1.6


def draw_bars(figures: Figures, photographs: Mapping[str, FaceParts], notes: Sequence[str] = ()) -> Tensor:
    """(H, 1024, 3) float32, 0..1.

    `photographs`: caption -> one picture with its chosen face, in the order of the row, at most 7.
    `notes`: sentences below the bars.
    """
    side = min(300, (_WIDTH - _MARGIN) // max(1, len(photographs)) - _MARGIN)
    top = _MARGIN + (side + _ROW if photographs else 0)
    font, small = ImageFont.load_default(_TYPE), ImageFont.load_default(_TYPE * 0.8)
    lines = [line for note in notes for line in _wrapped(note, small)]
    height = top + _ROW * len(figures.values) + _MARGIN + (_ROW * 3 // 4) * len(lines) + _MARGIN
    sheet = Image.new("RGB", (_WIDTH, height), INK)
    draw = ImageDraw.Draw(sheet)
    for column, (caption, parts) in enumerate(photographs.items()):
        x = _MARGIN + column * (side + _MARGIN)
        sheet.paste(_square(parts, side), (x, _MARGIN))
        draw.text((x + side / 2, _MARGIN + side + _ROW / 2), caption, font=small, fill=_TEXT, anchor="mm")
    for row, (key, value) in enumerate(figures.values.items()):
        _row(draw, top + row * _ROW, key, value, font)
    start = top + len(figures.values) * _ROW + _MARGIN
    for row, line in enumerate(lines):
        draw.text((_MARGIN, start + row * _ROW * 3 // 4), line, font=small, fill=_DIM)
    return torch.from_numpy(np.asarray(sheet, dtype=np.float32) / 255)


def stacked(sheets: Sequence[Tensor]) -> Tensor:
    """Pictures (h, 1024, 3) of several heights as one batch (B, H, 1024, 3), with room below the lower ones."""
    highest = max(len(sheet) for sheet in sheets)
    ground = torch.tensor(INK) / 255
    return torch.stack([torch.cat([s, ground.expand(highest - len(s), s.shape[1], 3)]) for s in sheets])


def colour_of(goodness: float) -> Colour:
    """The colour of a bar that is so full, 0..1."""
    return RED if goodness < _BAD else AMBER if goodness < _FAIR else GREEN


def face_square(parts: FaceParts, side: int) -> Tensor:
    """(side, side, 3), 0..1: a square around the chosen face, or the middle of a picture without one."""
    face, (height, width) = parts.face(0), parts.size
    x0, y0, x1, y1 = (0.0, 0.0, float(width), float(height)) if face is None else face.box
    if face is not None and face.scheme:
        x0, y0, x1, y1 = bounding_box(face.landmarks)
    reach = min(height, width) if face is None else _ROOM * max(x1 - x0, y1 - y0)
    scale = side / reach
    shift = [side / 2 - scale * (x0 + x1) / 2, side / 2 - scale * (y0 + y1) / 2]
    matrix = torch.tensor([[scale, 0, shift[0]], [0, scale, shift[1]]], dtype=torch.float64)
    pixels, inside = warp_window(parts.pictures[0], matrix, (0, 0, side, side))
    return pixels.clamp(0, 1) * inside[..., None]


def _square(parts: FaceParts, side: int) -> Image.Image:
    return Image.fromarray(as_bytes(face_square(parts, side)))


def _row(draw: ImageDraw.ImageDraw, y: int, key: str, value: float, font: _Font) -> None:
    question = QUESTIONS[key]
    goodness, middle = question.goodness(value), y + _ROW / 2
    draw.text((_MARGIN, middle), question.title, font=font, fill=_TEXT, anchor="lm")
    high = _ROW * 0.5
    draw.rounded_rectangle((_FROM, middle - high / 2, _TO, middle + high / 2), radius=4, fill=_EMPTY)
    full = _FROM + goodness * (_TO - _FROM)
    draw.rounded_rectangle((_FROM, middle - high / 2, max(full, _FROM + 6), middle + high / 2), radius=4,
                           fill=colour_of(goodness))  # fmt: skip
    draw.text((_WIDTH - _MARGIN, middle), question.in_words(value), font=font, fill=_TEXT, anchor="rm")


def _wrapped(text: str, font: _Font) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > _WIDTH - 2 * _MARGIN:
            lines.append(line)
            longer = f"  {word}"
        line = longer
    return [*lines, line] if line else lines
