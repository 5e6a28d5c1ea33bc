"""What the help pictures have in common: their size, their words and the shape of a drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from people import Person
from PIL import Image
from sheets import EDGE, Box, place

# A help panel is about 300 pixels wide, so everything is seen at half its size.
WIDTH, WORD = 640, 30
# Hopper, Collins -> the picture.
Drawing = Callable[[Person, Person], Image.Image]


def inner(page: Image.Image) -> Box:
    return EDGE, EDGE, page.width - 2 * EDGE, page.height - 2 * EDGE


def tile(page: Image.Image, box: Box, image: Image.Image, word: str = "", top: bool = False) -> None:
    place(page, image, box[:2], box[2:], word, WORD, top)


def tiles(
    page: Image.Image, boxes: Sequence[Box], shown: Sequence[tuple[str, Image.Image]], top: Sequence[str] = ()
) -> None:
    """A tile in each box; the words in `top` stand on the upper edge, where they cover less."""
    for box, (word, image) in zip(boxes, shown, strict=True):
        tile(page, box, image, word, word in top)


def between(left: Box, right: Box) -> tuple[int, int]:
    """The middle of the gap between two boxes side by side, halfway down the first."""
    return (left[0] + left[2] + right[0]) // 2, left[1] + left[3] // 2


def trimmed(image: Image.Image, share: float) -> Image.Image:
    """Without this share of its side on every side."""
    x, y = round(share * image.width), round(share * image.height)
    return image.crop((x, y, image.width - x, image.height - y))
