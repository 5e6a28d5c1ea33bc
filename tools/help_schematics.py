"""The help pictures of the nodes whose results are not pictures: files, a schedule, blocks and metadata.

Every number is read from the pack's own tables and modules.
"""

from __future__ import annotations

import math
import re
import textwrap

import torch
from help_models import STEPS, fusion
from help_pixels import WIDTH, WORD, leading, shown
from people import Person, fused
from PIL import Image, ImageDraw, ImageFont
from sheets import (
    EDGE,
    FAINT,
    INK,
    OVER,
    Box,
    Line,
    across,
    arrow,
    between,
    card,
    columns,
    down,
    inner,
    nothing,
    paper,
    rows,
    sheet,
)

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import EDITED, to_image
from face_part_fusion.detectors.preview import REFERENCE_COLOURS
from face_part_fusion.fusion.features.encode import Framing
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.features.records import FusedFeatures
from face_part_fusion.fusion.provenance import SOURCE_TYPE
from face_part_fusion.injection.fuse_any_part.adapters import CrossAttentionAdapter
from face_part_fusion.injection.fuse_any_part.ddim import alpha_bars, timesteps
from face_part_fusion.injection.fuse_any_part.latents import CELL, SCALE
from face_part_fusion.injection.fuse_any_part.residuals import residuals
from face_part_fusion.injection.hs_diffusion.codec import Codec, CodecShape
from face_part_fusion.injection.hs_diffusion.layout_unet import LayoutUNet, UNetShape
from face_part_fusion.injection.ip_adapter.adapter import FAMILY_OF_WIDTH, NAMES
from face_part_fusion.injection.unet.blocks import BLOCKS, Block
from face_part_fusion.injection.unet.keys import CHANNELS_IN, WIDTHS, unet_shapes

AMBER, BLUE = (255, 183, 64), (41, 182, 246)
SMALL = 26  # points


def loader(target: Person, giver: Person) -> Image.Image:
    """One file, a model and an adapter."""
    unet = sum(math.prod(shape) for shape in unet_shapes().values())
    with torch.device("meta"):
        adapter = CrossAttentionAdapter({block.name: WIDTHS[level_of(block)] for block in BLOCKS})
    added = sum(weight.numel() for weight in adapter.parameters())
    file = paper(("fap.bin", 40, INK), ("models/", SMALL, FAINT), ("fuse_any_part", SMALL, FAINT))
    model = card(("model", 34, AMBER), (f"SD1.5, {CHANNELS_IN} channels in", WORD, INK), millions(unet))
    features = card(("adapter", 34, AMBER), (f"features into {len(BLOCKS)} blocks", WORD, INK), millions(added))
    return leading([file], rows(model, features), 1.45, 330)


def layout_diffusion(target: Person, giver: Person) -> Image.Image:
    """One file, a model and its codec."""
    unet, codec = UNetShape(), CodecShape()
    with torch.device("meta"):
        sizes = [sum(weight.numel() for weight in part.parameters()) for part in (LayoutUNet(unet), Codec(codec))]
    file = paper(("your training", 34, INK), ("models/head_", SMALL, FAINT), ("layout_diffusion", SMALL, FAINT))
    said = f"{unet.latent} + {unet.encoded} channels in"
    model = card(("model", 34, AMBER), (said, WORD, INK), millions(sizes[0]))
    own = card(("vae", 34, AMBER), (f"{codec.factor} pixels to a cell", WORD, INK), millions(sizes[1]))
    return leading([file], rows(model, own), 1.45, 330)


def millions(weights: int) -> Line:
    return f"{weights / 1e6:.0f} million weights", SMALL, FAINT


def controller(target: Person, giver: Person) -> Image.Image:
    """Two kinds of files, and what they steer."""
    files = [("ip-adapter-plus-face", "models/ipadapter"), ("FaceX, your own", "models/facex")]
    papers = [paper((name, WORD, INK), (folder, SMALL, FAINT)) for name, folder in files]
    lines = [(f"{NAMES[family]}: {layers} layers", WORD, INK) for family, layers in FAMILY_OF_WIDTH.values()]
    page = sheet(WIDTH, 330, columns((1.25, rows(*papers)), (1, card(("controller", 34, AMBER), *lines))))
    left, right = across(inner(page), 1.25, 1)
    for file in down(left, 1, 1):
        arrow(page, between(file, right))
    return page


def sampling(target: Person, giver: Person) -> Image.Image:
    """The first noise, beside that of an ordinary sampler; and the noise that is left at each step."""
    noise = torch.randn(24, 32, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, 3)
    first = []
    for scale, word in ((SCALE, f"noise x {SCALE:.2f}"), (1.0, "KSampler: x 1")):
        image = to_image(0.5 + 0.2 * scale * noise)
        first.append(shown(image.resize((image.width * 8, image.height * 8), Image.Resampling.NEAREST), word))
    page = sheet(WIDTH, 400, columns((1, rows(*first)), (1.9, bars)))
    left, right = across(inner(page), 1, 1.9)
    arrow(page, between(down(left, 1, 1)[0], right))
    return page


def bars(page: Image.Image, box: Box) -> None:
    """The share of noise in the latent at each of the published timesteps."""
    card()(page, box)
    x, y, width, height = box
    steps = timesteps(STEPS)
    left, base, room, tall = x + 24, y + height - 60, width - 48, height - 140
    layer = page.resize((page.width * OVER, page.height * OVER), Image.Resampling.NEAREST)
    pen, wide = ImageDraw.Draw(layer), room / len(steps)
    for i, noise in enumerate((1 - alpha_bars()[steps]).sqrt().tolist()):
        at = left + i * wide
        corners = (at, base - max(2.0, tall * noise), at + wide - 2, base)
        pen.rounded_rectangle([v * OVER for v in corners], 2 * OVER, BLUE)
    page.paste(layer.resize(page.size, Image.Resampling.LANCZOS))
    pen, font, low = ImageDraw.Draw(page), ImageFont.load_default(WORD), base + 30
    pen.text((x + width / 2, y + 36), f"noise left at {len(steps)} steps", INK, font, "mm")
    for at, word, anchor in ((left, steps[0], "lm"), (x + width / 2, "timestep", "mm"), (left + room, steps[-1], "rm")):
        pen.text((at, low), str(word), FAINT, font, anchor)


def level_of(block: Block) -> int:
    """The level of the UNet, 0 to 3, on which a block lies: its features are halved that many times."""
    side, number = block.name.split("_")
    return {"input": (int(number) - 1) // 3, "middle": 3, "output": 3 - int(number) // 3}[side]


def inject(target: Person, giver: Person) -> Image.Image:
    """The fused cells, and where they come to lie on each block of the UNet, from the way in to the way out."""
    made = fusion(target, [giver] * 3, Framing())
    page = sheet(WIDTH, 400, nothing)
    x, y, width, height = inner(page)
    levels = down((x, y + 40, width, height - 40), 1, 1, 1, 1)
    cells = [across(level, 1, 1, 2.35, 1, 1, 1) for level in levels]
    for block in BLOCKS:
        level, (side, _) = level_of(block), block.host
        beside = [b for b in BLOCKS if b.host[0] == side and level_of(b) == level]
        cell = cells[level][{"input": 0, "middle": 2, "output": 3}[side] + beside.index(block)]
        if side == "middle":
            cell = (cell[0] + (cell[2] - cell[3]) // 2, cell[1], cell[3], cell[3])
        shown(laid(made, 512 // CELL >> level), trim=0.12)(page, cell)
    above, below = cells[0][2], cells[2][2]
    fused_box = (above[0], above[1], above[2], below[1] + below[3] - above[1])
    shown(to_image(draw_origin(made)[0]), "fused")(page, fused_box)
    arrow(page, between(cells[1][1], fused_box), back=True)
    arrow(page, (fused_box[0] + fused_box[2] + EDGE // 2, cells[1][3][1] + cells[1][3][3] // 2))
    pen, font, low = ImageDraw.Draw(page), ImageFont.load_default(WORD), levels[3][1] + levels[3][3] / 2
    for word, first, last, at in (
        ("input", cells[0][0], cells[0][1], y + 18),
        ("output", cells[0][3], cells[0][5], y + 18),
        ("middle", cells[3][3], cells[3][4], low),
        (f"{len(BLOCKS)} blocks", cells[3][0], cells[3][1], low),
    ):
        pen.text(((first[0] + last[0] + last[2]) / 2, at), word, INK, font, "mm")
    return page


def laid(made: FusedFeatures, side: int) -> Image.Image:
    """The features on a block of side x side cells: the view in grey, each reference's cells in its colour."""
    down_, across_ = residuals(made).weights((side, side))
    shades = torch.full((*made.grid, 3), 0.42)
    for number, colour in enumerate(REFERENCE_COLOURS, 1):
        shades[made.origin[0] == number] = torch.tensor(colour) / 255
    cells = to_image(torch.einsum("ij,jkc,lk->ilc", down_[0], shades, across_[0]))
    return cells.resize((side * (192 // side), side * (192 // side)), Image.Resampling.NEAREST)


def marked(target: Person, giver: Person) -> Image.Image:
    """A saved picture, and what its file says."""
    image = to_image(fused(target.near, giver.near, "eyes", "mouth")[0])
    kind = re.sub(r"[A-Z]", lambda capital: f" {capital[0].lower()}", SOURCE_TYPE.rpartition("/")[2])
    lines = [("the file says", SMALL, FAINT), *((line, WORD, AMBER) for line in textwrap.wrap(kind, 20))]
    edits = textwrap.wrap(f"{EDITED}: eyes, mouth", 24)
    text = card(*lines, ("", 14, INK), *((line, SMALL, INK) for line in edits), align="left")
    return leading([shown(image, "face_parts.png")], text, 1.45, 400)


SCHEMATICS = {
    "FuseAnyPartLoader": loader,
    "HeadLayoutDiffusionLoader": layout_diffusion,
    "ControllerLoad": controller,
    "FuseAnyPartSampling": sampling,
    "AdditionInject": inject,
    "MarkEdited": marked,
}
