"""Draws the pack's mark for the registry, docs/icon.png (400 x 400) and docs/banner.png (1260 x 540):

    python tools/draw_icon.py [FOLDER]

A paper collage: a face whose eyes, nose and mouth are pieces of three other people, each in a colour of its own.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

ROOT = Path(__file__).resolve().parent.parent
# Everything is drawn this many times larger and then shrunk, which makes the edges smooth.
OVER = 4
NIGHT, INK, WHITE, SHADOW = "#1d2333", "#26202e", "#fffaf2", (8, 10, 20, 120)
SKIN, EYES, NOSE, MOUTH = "#f4dcc2", "#46bdb0", "#f6b14b", "#f0696a"
HAIR, LIPS = "#4a4f73", "#9f2f45"
Point = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "docs")
    folder = parser.parse_args().folder
    for name, picture in (("icon", icon()), ("banner", banner())):
        few = picture.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=4, dither=Image.Dither.NONE)
        few.save(folder / f"{name}.png", optimize=True)


def icon() -> Image.Image:
    picture = Image.new("RGB", (400 * OVER, 400 * OVER), NIGHT)
    face(picture, (200, 204), 1.0)
    return picture.resize((400, 400), Image.Resampling.LANCZOS)


def banner() -> Image.Image:
    """Three people on the left, wired into the face that takes a part from each."""
    picture = Image.new("RGB", (1260 * OVER, 540 * OVER), NIGHT)
    for height, colour, goal in ((110, EYES, (470, 225)), (270, NOSE, (560, 295)), (430, MOUTH, (500, 392))):
        wire(picture, (182, height), goal, colour)
        person(picture, (120, height), colour)
    face(picture, (555, 274), 1.3)
    pen = ImageDraw.Draw(picture)
    for words, size, top, colour in (
        ("Face Part", 92, 132, SKIN), ("Fusion", 92, 226, SKIN),
        ("eyes, nose and mouth,", 32, 352, EYES), ("each from another person", 32, 392, EYES),
    ):  # fmt: skip
        pen.text((806 * OVER, top * OVER), words, fill=colour, font=ImageFont.load_default(size * OVER))
    return picture.resize((1260, 540), Image.Resampling.LANCZOS)


def face(picture: Image.Image, middle: Point, scale: float) -> None:
    """Head of 240 x 300 times `scale`, with a piece of paper for each part."""
    x, y = middle
    paper(picture, middle, (300, 360), scale, 0, head)
    paper(picture, (x + 2 * scale, y + 98 * scale), (158, 78), scale, 4, mouth)
    paper(picture, (x - 2 * scale, y - 38 * scale), (280, 104), scale, -4, eyes)
    paper(picture, (x + 3 * scale, y + 20 * scale), (70, 106), scale, 5, nose)


def paper(
    picture: Image.Image, middle: Point, size: Point, scale: float, turned: float, draw: Callable[[Sheet], None]
) -> None:
    """What `draw` draws on a sheet of `size`, turned by degrees, with a soft shadow below it."""
    unit = OVER * scale
    sheet = Sheet(size, unit)
    draw(sheet)
    turn = sheet.picture.rotate(turned, Image.Resampling.BICUBIC)
    corner = round(middle[0] * OVER - turn.width / 2), round(middle[1] * OVER - turn.height / 2)
    dark = Image.new("RGBA", turn.size, SHADOW)
    dark.putalpha(turn.getchannel("A").point(lambda alpha: alpha * SHADOW[3] // 255).filter(blur(5 * unit)))
    picture.paste(dark, (corner[0], corner[1] + round(5 * unit)), dark)
    picture.paste(turn, corner, turn)


def blur(radius: float) -> ImageFilter.GaussianBlur:
    return ImageFilter.GaussianBlur(radius)


class Sheet:
    """Paper of `size` with room for a shadow; points are around its middle, x to the right and y down."""

    def __init__(self, size: Point, unit: float) -> None:
        self.size, self.unit = size, unit
        self.picture = Image.new("RGBA", (round((size[0] + 60) * unit), round((size[1] + 60) * unit)))
        self.pen = ImageDraw.Draw(self.picture)

    def cut(self, colour: str, radius: float) -> None:
        """The paper itself, with round corners."""
        x, y = self.size[0] / 2, self.size[1] / 2
        self.pen.rounded_rectangle([*self.at((-x, -y)), *self.at((x, y))], radius * self.unit, colour)

    def egg(self, middle: Point, wide: float, high: float, colour: str, power: float = 2.0) -> None:
        """A superellipse: a `power` of 2 is an ellipse, more is squarer, less is pointed at the ends."""
        turns = [math.tau * i / 480 for i in range(480)]
        edge = [(wide * bow(math.cos(t), power), high * bow(math.sin(t), power)) for t in turns]
        self.shape([(middle[0] + x, middle[1] + y) for x, y in edge], colour)

    def shape(self, points: list[Point], colour: str) -> None:
        self.pen.polygon([self.at(p) for p in points], colour)

    def line(self, points: list[Point], width: float, colour: str) -> None:
        """A line with round ends through the points of a curve."""
        stroke(self.pen, [self.at(p) for p in points], width * self.unit, colour)

    def at(self, point: Point) -> Point:
        return self.picture.width / 2 + point[0] * self.unit, self.picture.height / 2 + point[1] * self.unit


def bow(value: float, power: float) -> float:
    return math.copysign(abs(value) ** (2 / power), value)


def stroke(pen: ImageDraw.ImageDraw, points: list[Point], width: float, colour: str) -> None:
    for x, y in points:
        pen.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], colour)


def curve(a: Point, b: Point, c: Point, d: Point) -> list[Point]:
    """Points of the Bezier curve from a to d."""

    def at(t: float, axis: int) -> float:
        outer = a[axis] * (1 - t) ** 3 + d[axis] * t**3
        return outer + 3 * t * (1 - t) * (b[axis] * (1 - t) + c[axis] * t)

    return [(at(i / 600, 0), at(i / 600, 1)) for i in range(601)]


def head(sheet: Sheet) -> None:
    sheet.egg((0, -38), 128, 136, HAIR, 2.5)
    sheet.egg((0, 16), 116, 146, SKIN, 2.3)


def eyes(sheet: Sheet) -> None:
    sheet.cut(EYES, 22)
    for side in (-1, 1):
        x = side * 76
        brow = (x - side * 38, -24), (x - side * 14, -40), (x + side * 18, -40), (x + side * 40, -22)
        lids = curve((x - 40, 14), (x - 18, -20), (x + 18, -20), (x + 40, 14))
        sheet.line(curve(*brow), 9, INK)
        sheet.shape(lids + curve((x + 40, 14), (x + 18, 40), (x - 18, 40), (x - 40, 14)), WHITE)
        sheet.egg((x, 11), 16, 16, INK)
        sheet.egg((x + 6, 5), 5, 5, WHITE)


def nose(sheet: Sheet) -> None:
    sheet.cut(NOSE, 20)
    sheet.line(curve((-3, -34), (2, -6), (14, 8), (16, 20)), 8, INK)
    sheet.line(curve((16, 20), (17, 36), (-6, 35), (-18, 29)), 8, INK)


def mouth(sheet: Sheet) -> None:
    sheet.cut(MOUTH, 20)
    upper = curve((-52, 0), (-30, -22), (-14, -24), (0, -14)) + curve((0, -14), (14, -24), (30, -22), (52, 0))
    sheet.shape(upper + curve((52, 0), (26, 34), (-26, 34), (-52, 0)), LIPS)
    sheet.line(curve((-52, 0), (-22, 8), (22, 8), (52, 0)), 4, INK)


def person(picture: Image.Image, middle: Point, colour: str) -> None:
    """A small portrait in one colour."""

    def draw(sheet: Sheet) -> None:
        sheet.cut(colour, 24)
        sheet.egg((0, -8), 22, 26, WHITE)
        sheet.shape(curve((-40, 58), (-36, 14), (36, 14), (40, 58)), WHITE)

    paper(picture, middle, (120, 120), 1.0, 0, draw)


def wire(picture: Image.Image, start: Point, end: Point, colour: str) -> None:
    middle = (start[0] + end[0]) / 2
    points = curve(start, (middle, start[1]), (middle, end[1]), end)
    pen = ImageDraw.Draw(picture)
    stroke(pen, [(x * OVER, y * OVER) for x, y in points], 7 * OVER, colour)
    stroke(pen, [(start[0] * OVER, start[1] * OVER)], 22 * OVER, colour)


if __name__ == "__main__":
    main()
