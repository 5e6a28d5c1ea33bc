"""Sheets of rounded tiles, cards and arrows on a dark ground, with which the tools draw the pack's pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

EDGE = 8  # pixels, around a sheet and between its tiles
GROUND, CARD, INK, FAINT = (24, 26, 31), (46, 50, 60), (240, 240, 236), (160, 166, 178)
# Shapes are drawn this many times larger and then shrunk, which makes their edges smooth.
OVER = 4
ROUND = 12  # pixels, radius of a tile's corners

Colour = tuple[int, int, int]
# x, y, width, height
Box = tuple[int, int, int, int]
# Draws into a box of a page.
Item = Callable[[Image.Image, Box], None]
# Text, its size in points, and its colour.
Line = tuple[str, int, Colour]


def sheet(width: int, height: int, item: Item) -> Image.Image:
    """A page with this item on it."""
    page = Image.new("RGB", (width, height), GROUND)
    item(page, inner(page))
    return page


def inner(page: Image.Image) -> Box:
    return EDGE, EDGE, page.width - 2 * EDGE, page.height - 2 * EDGE


def rows(*items: Item, shares: Sequence[float] = ()) -> Item:
    """Items one below another, of equal height or of these shares."""

    def draw(page: Image.Image, box: Box) -> None:
        for item, part in zip(items, down(box, *(shares or [1] * len(items))), strict=True):
            item(page, part)

    return draw


def columns(*items: tuple[float, Item], arrows: int = 0, arrow_size: int = 22) -> Item:
    """Items with their shares of the width, side by side; arrows stand in the first `arrows` gaps."""

    def draw(page: Image.Image, box: Box) -> None:
        boxes = across(box, *(share for share, _ in items))
        for (_, item), part in zip(items, boxes, strict=True):
            item(page, part)
        for left, right in list(zip(boxes, boxes[1:], strict=False))[:arrows]:
            arrow(page, between(left, right), arrow_size)

    return draw


def nothing(page: Image.Image, box: Box) -> None:
    """An item that leaves its box empty."""


def tile(image: Image.Image, word: str = "", points: int = 17, top: bool = False) -> Item:
    """A picture with round corners, filling the box, and a word on its lower or upper edge."""

    def draw(page: Image.Image, box: Box) -> None:
        x, y, width, height = box
        scale = max(width / image.width, height / image.height)
        large = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        left, above = (large.width - width) // 2, (large.height - height) // 2
        mask = Image.new("L", (width * OVER, height * OVER))
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * OVER - 1, height * OVER - 1), ROUND * OVER, 255)
        cut = large.crop((left, above, left + width, above + height))
        page.paste(cut, (x, y), mask.resize((width, height), Image.Resampling.LANCZOS))
        if word:
            inward = points + 3 + word.count("\n") * points // 2
            label(page, (x + width // 2, y + (inward if top else height - inward)), word, points)

    return draw


def label(page: Image.Image, middle: tuple[int, int], word: str, points: int) -> None:
    font, pen = ImageFont.load_default(points), ImageDraw.Draw(page)
    x0, y0, x1, y1 = pen.multiline_textbbox(middle, word, font, "mm", align="center")
    pen.rounded_rectangle((x0 - 9, y0 - 5, x1 + 9, y1 + 5), 8, GROUND)
    pen.multiline_text(middle, word, INK, font, "mm", align="center")


def card(*lines: Line, align: str = "middle") -> Item:
    """A plain tile with lines of text about its middle, or from its "left"."""

    def draw(page: Image.Image, box: Box) -> None:
        x, y, width, height = box
        tile(Image.new("RGB", (width, height), CARD))(page, box)
        pen, top = ImageDraw.Draw(page), y + (height - sum(1.3 * points for _, points, _ in lines)) / 2
        for text, points, colour in lines:
            at, anchor = (x + width / 2, "mm") if align == "middle" else (x + 4 * EDGE, "lm")
            pen.text((at, top + 0.65 * points), text, colour, ImageFont.load_default(points), anchor)
            top += 1.3 * points

    return draw


def paper(*lines: Line, fold: int = 34) -> Item:
    """A file: a card with a corner folded over."""

    def draw(page: Image.Image, box: Box) -> None:
        card(*lines)(page, box)
        corner = Image.new("RGB", (fold * OVER, fold * OVER), GROUND)
        ImageDraw.Draw(corner).polygon([(0, 0), (fold * OVER, fold * OVER), (0, fold * OVER)], FAINT)
        page.paste(corner.resize((fold, fold), Image.Resampling.LANCZOS), (box[0] + box[2] - fold, box[1]))

    return draw


def arrow(page: Image.Image, middle: tuple[int, int], size: int = 22, back: bool = False) -> None:
    """To the right, or `back` to the left."""
    x, y = middle
    pen, along = ImageDraw.Draw(page), -1 if back else 1
    pen.ellipse((x - size, y - size, x + size, y + size), GROUND, INK, 2)
    pen.polygon([(x - 7 * along, y - 10), (x + 11 * along, y), (x - 7 * along, y + 10)], INK)


def between(left: Box, right: Box) -> tuple[int, int]:
    """The middle of the gap between two boxes side by side, halfway down the first."""
    return (left[0] + left[2] + right[0]) // 2, left[1] + left[3] // 2


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


def trimmed(image: Image.Image, share: float) -> Image.Image:
    """Without this share of its side on every side."""
    x, y = round(share * image.width), round(share * image.height)
    return image.crop((x, y, image.width - x, image.height - y))


def save(picture: Image.Image, file: Path, largest: int, best: int = 92) -> None:
    """As a JPEG of at most `largest` bytes. Raises ValueError for a picture that would look bad at that size."""
    for quality in range(best, 50, -4):
        picture.save(file, quality=quality, optimize=True)
        if file.stat().st_size < largest:
            return
    raise ValueError(f"{file.name} takes {file.stat().st_size} bytes, and {largest} are meant for it; draw less")
