"""Sheets of rounded tiles with words on a dark ground: what the tools draw the pack's pictures with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

EDGE = 8
GROUND, CARD, INK, FAINT = (24, 26, 31), (46, 50, 60), (240, 240, 236), (160, 166, 178)
# Shapes are drawn this many times larger and then shrunk, which makes their edges smooth.
OVER = 4

Colour = tuple[int, int, int]
# x, y, width, height
Box = tuple[int, int, int, int]


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GROUND)


def save(picture: Image.Image, file: Path, largest: int) -> None:
    """As a JPEG of at most `largest` bytes. Raises ValueError for a picture that would look bad at that size."""
    for quality in range(92, 50, -4):
        picture.save(file, quality=quality, optimize=True)
        if file.stat().st_size < largest:
            return
    raise ValueError(f"{file.name} takes {file.stat().st_size} bytes, and {largest} are meant for it; draw less")


def rounded(image: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Cut to `size` about the middle, and the mask that rounds its corners."""
    scale = max(size[0] / image.width, size[1] / image.height)
    width, height = round(image.width * scale), round(image.height * scale)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    mask = Image.new("L", (size[0] * OVER, size[1] * OVER))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * OVER - 1, size[1] * OVER - 1), 12 * OVER, 255)
    return image.crop((x, y, x + size[0], y + size[1])), mask.resize(size, Image.Resampling.LANCZOS)


def place(
    page: Image.Image, image: Image.Image, corner: tuple[int, int], size: tuple[int, int], word: str = "",
    points: int = 17, top: bool = False,
) -> None:  # fmt: skip
    """A tile with a word on its lower or upper edge."""
    page.paste(*[(cut := rounded(image, size))[0], corner, cut[1]])
    if word:
        font = ImageFont.load_default(points)
        pen = ImageDraw.Draw(page)
        inward = points + 3 + word.count("\n") * points // 2
        x, y = corner[0] + size[0] // 2, corner[1] + (inward if top else size[1] - inward)
        x0, y0, x1, y1 = pen.multiline_textbbox((x, y), word, font, "mm", align="center")
        pen.rounded_rectangle((x0 - 9, y0 - 5, x1 + 9, y1 + 5), 8, GROUND)
        pen.multiline_text((x, y), word, INK, font, "mm", align="center")


def arrow(page: Image.Image, middle: tuple[int, int], size: int = 22, back: bool = False) -> None:
    """To the right, or `back` to the left."""
    x, y = middle
    pen, along = ImageDraw.Draw(page), -1 if back else 1
    pen.ellipse((x - size, y - size, x + size, y + size), GROUND, INK, 2)
    pen.polygon([(x - 7 * along, y - 10), (x + 11 * along, y), (x - 7 * along, y + 10)], INK)


def across(box: Box, *shares: float) -> list[Box]:
    """The box cut into columns of these shares, with a gap between."""
    x, y, width, height = box
    return [(x + start, y, length, height) for start, length in _cut(width, shares)]


def down(box: Box, *shares: float) -> list[Box]:
    """The box cut into rows of these shares, with a gap between."""
    x, y, width, height = box
    return [(x, y + start, width, length) for start, length in _cut(height, shares)]


def _cut(length: int, shares: Sequence[float]) -> list[tuple[int, int]]:
    room = length - EDGE * (len(shares) - 1)
    ends = [round(room * sum(shares[: i + 1]) / sum(shares)) for i in range(len(shares))]
    starts = [0, *ends[:-1]]
    return [(start + i * EDGE, end - start) for i, (start, end) in enumerate(zip(starts, ends, strict=True))]


def card(page: Image.Image, box: Box, lines: Sequence[tuple[str, int, Colour]], align: str = "middle") -> None:
    """A plain tile with lines of text, each with its points and colour, about its middle or from its left."""
    x, y, width, height = box
    place(page, Image.new("RGB", (width, height), CARD), (x, y), (width, height))
    pen, top = ImageDraw.Draw(page), y + (height - sum(1.3 * points for _, points, _ in lines)) / 2
    for text, points, colour in lines:
        at, anchor = (x + width / 2, "mm") if align == "middle" else (x + 4 * EDGE, "lm")
        pen.text((at, top + 0.65 * points), text, colour, ImageFont.load_default(points), anchor)
        top += 1.3 * points


def sheet_of_paper(page: Image.Image, box: Box, lines: Sequence[tuple[str, int, Colour]], fold: int = 34) -> None:
    """A file: a card with a corner folded over."""
    card(page, box, lines)
    x, y, width, _ = box
    corner = Image.new("RGB", (fold * OVER, fold * OVER), GROUND)
    ImageDraw.Draw(corner).polygon([(0, 0), (fold * OVER, fold * OVER), (0, fold * OVER)], FAINT)
    page.paste(corner.resize((fold, fold), Image.Resampling.LANCZOS), (x + width - fold, y))
