"""The sheet of the demonstration: the photographs and every fused face, on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..detectors.parts import FaceParts
from ..detectors.preview import draw_preview
from ..fusion.crop import crop_faces
from .photo import from_image, to_image

# Pixels; the title stands above _TOP, and a row is a close-up with the recipe below it.
_WIDTH, _GAP, _TILE, _COLUMNS = 1640, 24, 514, 3
_TOP, _ROW = 110, _TILE + 56
_PAPER, _INK, _SOFT = (250, 249, 247), (32, 33, 36), (110, 113, 120)


@dataclass(frozen=True, eq=False)
class FusedPhoto:
    """A fused picture (H, W, 3) float 0..1, the recipe as its title, and the target with its faces."""

    title: str
    target: FaceParts
    picture: Tensor


def draw_sheet(target: FaceParts, group: FaceParts, fused: Sequence[FusedPhoto]) -> Tensor:
    """Target, numbered references and every fused face with its recipe -> (H, W, 3) float 0..1."""
    top = _top_row(target, group)
    rows = -(-len(fused) // _COLUMNS)
    below = _TOP + top.height + _GAP
    sheet = Image.new("RGB", (_WIDTH, below + 40 + rows * _ROW), _PAPER)
    _write(sheet, (_GAP, 20), "Face Part Fusion", 38, _INK)
    _write(sheet, (_GAP, 70), "The portrait, and six people numbered from left to right", 22, _SOFT)
    sheet.paste(top, (_GAP, _TOP))
    _write(sheet, (_GAP, below), "Fused, with no model", 22, _SOFT)
    for i, photo in enumerate(fused):
        x, y = _GAP + (i % _COLUMNS) * (_TILE + _GAP), below + 40 + (i // _COLUMNS) * _ROW
        sheet.paste(_close_up(photo), (x, y))
        _write(sheet, (x, y + _TILE + 8), photo.title, 20, _INK)
    return from_image(sheet)


def _write(sheet: Image.Image, corner: tuple[int, int], text: str, size: int, colour: tuple[int, int, int]) -> None:
    ImageDraw.Draw(sheet).text(corner, text, font=ImageFont.load_default(size), fill=colour)


def _top_row(target: FaceParts, group: FaceParts) -> Image.Image:
    pictures = [to_image(draw_preview(parts)[0]) for parts in (target, group)]
    ratio = sum(picture.width / picture.height for picture in pictures)
    height = int((_WIDTH - 3 * _GAP) / ratio)
    row = Image.new("RGB", (_WIDTH - 2 * _GAP, height), _PAPER)
    x = 0
    for picture in pictures:
        scaled = picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)
        row.paste(scaled, (x, 0))
        x += scaled.width + _GAP
    return row


def _close_up(photo: FusedPhoto) -> Image.Image:
    fused = replace(photo.target, pictures=photo.picture[None])
    return to_image(crop_faces(fused, _TILE, "unrotated", 0.4)[0][0])
