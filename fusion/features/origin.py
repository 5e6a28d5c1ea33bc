"""A picture of the fused map: which cell comes from which reference, over the dimmed target."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...detectors.preview import INK, REFERENCE_COLOURS
from ...detectors.progress import Progress, counted
from .records import FusedFeatures

# RGBA of the lines between cells.
_LINE = (255, 255, 255, 46)
# Pixels of the picture's longer side: large enough to read the numbers.
_LONGEST = 768
# Factor on the target's light, so that the colours stand out.
_DIMMED = 0.45
# Largest opacity of a cell's colour, 0..255: the face stays visible under it.
_TINT = 150


def draw_origin(fused: FusedFeatures, progress: Progress | None = None) -> Tensor:
    """The encoder's view of each target, dimmed, with its cells drawn over it.

    A cell has the colour of the reference with the largest share of it, stronger the more of the cell a part takes;
    each reference's number stands in the middle of its cells. Beyond the picture the view is black.

    `progress`: called after each picture.

    Returns (B, h, w, 3) float32, 0..1, 768 pixels along the longer side.
    """
    return torch.stack([_draw(fused, i) for i in counted(range(len(fused)), progress)])


def _draw(fused: FusedFeatures, i: int) -> Tensor:
    base = _dimmed_view(fused, i)
    layer = Image.new("RGBA", base.size)
    draw = ImageDraw.Draw(layer)
    h, w = fused.grid
    xs, ys = [round(k * base.width / w) for k in range(w + 1)], [round(k * base.height / h) for k in range(h + 1)]
    covered = torch.stack([cover[i] for cover in fused.parts.values()]).amax(0)
    for row, column in torch.nonzero(fused.origin[i]).tolist():
        colour = REFERENCE_COLOURS[(int(fused.origin[i, row, column]) - 1) % len(REFERENCE_COLOURS)]
        corners = (xs[column], ys[row], xs[column + 1], ys[row + 1])
        draw.rectangle(corners, fill=(*colour, round(_TINT * (0.4 + 0.6 * float(covered[row, column])))))
    for x in xs:
        draw.line((x, ys[0], x, ys[-1]), fill=_LINE)
    for y in ys:
        draw.line((xs[0], y, xs[-1], y), fill=_LINE)
    for number in fused.origin[i].unique().tolist():
        if number:
            _label(draw, number, fused.origin[i] == number, ys, xs)
    drawn = Image.alpha_composite(base, layer).convert("RGB")
    return torch.from_numpy(np.asarray(drawn, dtype=np.float32) / 255)


def _dimmed_view(fused: FusedFeatures, i: int) -> Image.Image:
    picture = fused.target.picture[i]
    height, width = picture.shape[:2]
    y0, x0, y1, x1 = (fused.target.view[i] * torch.tensor([height, width, height, width])).round().int().tolist()
    pixels = (picture.clamp(0, 1) * (255 * _DIMMED)).round().to(torch.uint8).numpy()
    # The size comes from the first view, so that rounding cannot give a batch several sizes.
    first = fused.target.view[0]
    sides = torch.stack([(first[3] - first[1]) * width, (first[2] - first[0]) * height])
    columns, rows = (sides / sides.max() * _LONGEST).round().int().tolist()
    view = Image.fromarray(pixels).crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
    return view.resize((columns, rows), Image.Resampling.BICUBIC).convert("RGBA")


def _label(draw: ImageDraw.ImageDraw, number: int, cells: Tensor, ys: list[int], xs: list[int]) -> None:
    """Draw the number of a reference in that of its `cells` (h, w) that lies nearest to the middle of them all."""
    indices = torch.nonzero(cells).float()
    row, column = indices[(indices - indices.mean(0)).norm(dim=1).argmin()].int().tolist()
    middle = ((xs[column] + xs[column + 1]) / 2, (ys[row] + ys[row + 1]) / 2)
    radius = min(max(0.45 * (xs[column + 1] - xs[column]), 9), 22)
    colour = REFERENCE_COLOURS[(number - 1) % len(REFERENCE_COLOURS)]
    box = (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)
    draw.ellipse(box, fill=(*colour, 255), outline=(*INK, 255))
    draw.text(middle, str(number), font=ImageFont.load_default(1.3 * radius), fill=(*INK, 255), anchor="mm")
