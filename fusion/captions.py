"""A picture with sentences under it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..detectors.picture import as_bytes, stacked
from ..detectors.preview import INK

# Longest side of the picture in a preview, in pixels; height of a line and of the type as shares of its width.
_LARGEST = 1024
_LINE, _TYPE = 0.047, 0.034
# Pictures of a batch that are shown at most: all frames of a film would take more memory than the film.
_MOST = 64
# Characters that fit on a line.
_CHARACTERS = 54


def shown(count: int) -> list[int]:
    """The numbers of the pictures of a batch that a preview shows: all, or _MOST of them, evenly spread."""
    return [round(i * (count - 1) / (_MOST - 1)) for i in range(_MOST)] if count > _MOST else list(range(count))


def captioned(pictures: Tensor, sentences: Sequence[Sequence[str]]) -> Tensor:
    """Each picture with its sentences on a band below it; the bands of a batch are equally high.

    Of a long film, evenly spread frames.

    `pictures`: (B, H, W, 3) float32, 0..1. `sentences`: for each of them.

    Returns (B or 64, h, w, 3) float32, 0..1, the pictures at most 1024 pixels long.
    """
    numbers = shown(len(pictures))
    wrapped = [
        [line for one in sentences[i] for line in textwrap.wrap(one, _CHARACTERS, subsequent_indent="   ")]
        for i in numbers
    ]
    rows = max((len(own) for own in wrapped), default=0)
    drawn = (_captioned(pictures[i], own, rows) for i, own in zip(numbers, wrapped, strict=True))
    return stacked(drawn, len(numbers))


def _captioned(picture: Tensor, lines: Sequence[str], rows: int) -> Tensor:
    image = Image.fromarray(as_bytes(picture))
    image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    line = max(1, round(_LINE * image.width))
    sheet = Image.new("RGB", (image.width, image.height + (rows + 1) * line), INK)
    sheet.paste(image)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(1.0, _TYPE * image.width))
    for row, text in enumerate(lines):
        draw.text((line / 2, image.height + (row + 0.5) * line), text, font=font, fill=(236, 239, 241))
    return torch.from_numpy(np.asarray(sheet, dtype=np.float32) / 255)
