"""Previews: their colours, and pictures with faces numbered, parts in colour and the chosen face marked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .parts import Face, FaceParts, Region
from .picture import as_bytes, stacked
from .progress import Progress, counted

# Red, green, blue in 0..255.
Colour = tuple[int, int, int]

BLUE, TEAL, GREEN, YELLOW = (41, 182, 246), (77, 182, 172), (102, 187, 106), (255, 241, 118)
AMBER, ORANGE, RED, PINK = (255, 193, 7), (255, 167, 38), (239, 83, 80), (240, 98, 146)
VIOLET, BROWN, INK = (186, 104, 200), (141, 110, 99), (20, 20, 24)

PART_COLOURS: Mapping[str, Colour] = {
    "skin": (255, 214, 170), "left_brow": VIOLET, "right_brow": VIOLET, "left_eye": BLUE, "right_eye": BLUE,
    "nose": GREEN, "mouth": RED, "lips": RED, "inner_mouth": YELLOW, "ears": ORANGE, "hair": BROWN, "neck": TEAL,
    "head": (144, 164, 174), "background": (84, 110, 122),
    "body": (92, 107, 192), "glasses": AMBER,
}  # fmt: skip
# One per numbered reference; after the last, the first again.
REFERENCE_COLOURS: tuple[Colour, ...] = (BLUE, ORANGE, GREEN, RED, VIOLET, YELLOW, TEAL, PINK)
# One per giver of regions; the last marks what the model generates.
GIVER_COLOURS: tuple[Colour, ...] = (BLUE, ORANGE, GREEN, RED, (149, 117, 205), (216, 27, 96))
# One per steered region, with neighbours far apart in hue; after the last, the first again.
REGION_COLOURS: tuple[Colour, ...] = (BLUE, RED, GREEN, AMBER, (171, 71, 188), TEAL, (255, 112, 67), BROWN)

# Frames of the chosen face and of the others.
_CHOSEN, _OTHER = AMBER, (236, 239, 241)
# Longest side of a preview in pixels.
_LARGEST = 1024
# Height of a number as a share of the picture's longer side, where the face is large enough: readable in a node that
# shows the picture 300 pixels wide.
_NUMBER = 0.05
# Lines are drawn this many times larger and then reduced, for smooth edges.
_OVER = 2


def draw_preview(parts: FaceParts, progress: Progress | None = None) -> Tensor:
    """The pictures with their faces drawn on them: (B, h, w, 3) float32 0..1, at most 1024 pixels long.

    Faces are numbered from 0, as for an index; the chosen one has a thick amber frame,
    further chosen ones a thin one. `progress` is called after each
    picture.
    """
    return stacked((_draw(parts.pictures[i], parts, i) for i in counted(range(len(parts)), progress)), len(parts))


def _draw(picture: Tensor, parts: FaceParts, i: int) -> Tensor:
    height, width = picture.shape[:2]
    scale = min(1.0, _LARGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    base = Image.fromarray(as_bytes(picture))
    if base.size != size:
        base = base.resize(size, Image.Resampling.LANCZOS)
    layer = Image.new("RGBA", (size[0] * _OVER, size[1] * _OVER))
    pen = max(2, round(max(size) * _OVER / 500))
    chosen = parts.numbers(i)
    order = sorted(range(len(parts.faces[i])), key=lambda n: (n in chosen, n == parts.chosen[i]))
    for number in order:
        colour = _CHOSEN if number in chosen else _OTHER
        _draw_face(layer, parts.faces[i][number], number, number == parts.chosen[i], colour, scale * _OVER, pen)
    drawn = Image.alpha_composite(base.convert("RGBA"), layer.reduce(_OVER)).convert("RGB")
    return torch.from_numpy(np.asarray(drawn, dtype=np.float32) / 255)


def _draw_face(
    layer: Image.Image, face: Face, number: int, chosen: bool, colour: Colour, scale: float, pen: int
) -> None:
    for part in sorted(face.regions, key=list(PART_COLOURS).index):
        if part not in ("lips", "background"):
            _draw_region(layer, face.regions[part], PART_COLOURS[part], scale, pen if chosen else max(1, pen // 2))
    draw = ImageDraw.Draw(layer)
    x0, y0, x1, y1 = (value * scale for value in face.box)
    pad = 0.06 * (x1 - x0)
    frame = (x0 - pad, y0 - pad, x1 + pad, y1 + pad)
    draw.rounded_rectangle(frame, radius=3 * pen, outline=(*colour, 255), width=2 * pen if chosen else pen)
    _label(draw, str(number), frame, colour, layer.size, pen)


def _draw_region(layer: Image.Image, region: Region, colour: Colour, scale: float, pen: int) -> None:
    if region.mask is not None:
        alpha = Image.fromarray((region.mask.clamp(0, 1) * 110).round().to(torch.uint8).cpu().numpy())
        size = (max(1, round(alpha.width * scale)), max(1, round(alpha.height * scale)))
        patch = Image.new("RGBA", size, (*colour, 0))
        patch.putalpha(alpha.resize(size))
        layer.alpha_composite(patch, (round(region.corner[0] * scale), round(region.corner[1] * scale)))
        return
    draw = ImageDraw.Draw(layer)
    for ring in region.rings:
        line = [(float(x) * scale, float(y) * scale) for x, y in ring]
        draw.line([*line, line[0]], fill=(*colour, 230), width=pen, joint="curve")


def _label(
    draw: ImageDraw.ImageDraw, text: str, frame: tuple[float, ...], colour: Colour, size: tuple[int, int], pen: int
) -> None:
    wide = frame[2] - frame[0]
    points = max(min(max(0.22 * wide, _NUMBER * max(size)), 0.7 * wide, 22 * pen), 9 * _OVER)
    font = ImageFont.load_default(points)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    w, h = right - left + points * 0.5, bottom - top + points * 0.4
    x = min(max(frame[0], 0), max(0, size[0] - w))
    y = frame[1] - h if frame[1] - h >= 0 else max(0, frame[1])
    draw.rounded_rectangle((x, y, x + w, y + h), radius=points * 0.2, fill=(*colour, 255))
    draw.text((x + w / 2, y + h / 2), text, font=font, fill=(*INK, 255), anchor="mm")
