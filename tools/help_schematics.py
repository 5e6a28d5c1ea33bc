"""The help pictures of the nodes whose results are no pictures: files, a schedule, blocks and metadata.

Every number is read from the pack's own tables and modules, every sentence from the file that is drawn.
"""

from __future__ import annotations

import importlib.util
import math
import re
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import torch
from help_models import STEPS, fusion
from help_sheets import WIDTH, WORD, Drawing, between, inner, tile, trimmed
from people import ROOT, Person, fused
from PIL import Image, ImageDraw, ImageFont
from sheets import EDGE, FAINT, INK, OVER, Box, across, arrow, blank, card, down, sheet_of_paper

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import to_image
from face_part_fusion.detectors.preview import REFERENCE_COLOURS
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.features.records import FusedFeatures
from face_part_fusion.fusion.provenance import save_picture
from face_part_fusion.injection.fuse_any_part.adapters import CrossAttentionAdapter
from face_part_fusion.injection.fuse_any_part.ddim import alpha_bars, timesteps
from face_part_fusion.injection.fuse_any_part.latents import CELL, SCALE
from face_part_fusion.injection.fuse_any_part.residuals import residuals
from face_part_fusion.injection.ip_adapter.adapter import FAMILY_OF_WIDTH, NAMES
from face_part_fusion.injection.unet.blocks import BLOCKS
from face_part_fusion.injection.unet.keys import CHANNELS_IN, WIDTHS, unet_shapes

_TAGS = ("}DigitalSourceType", "}parameters")
AMBER, BLUE = (255, 183, 64), (41, 182, 246)
SMALL = 26


def loader(hopper: Person, collins: Person) -> Image.Image:
    """One file, a model and an adapter."""
    unet = sum(math.prod(shape) for shape in unet_shapes().values())
    with torch.device("meta"):
        adapter = CrossAttentionAdapter({block.name: WIDTHS[level_of(block.name)] for block in BLOCKS})
    added = sum(weight.numel() for weight in adapter.parameters())
    page = blank(WIDTH, 330)
    left, right = across(inner(page), 1, 1.45)
    sheet_of_paper(page, left, [("fap.bin", 40, INK), ("models/", SMALL, FAINT), ("fuse_any_part", SMALL, FAINT)])
    above, below = down(right, 1, 1)
    card(page, above, [("model", 34, AMBER), (f"SD1.5, {CHANNELS_IN} channels in", WORD, INK), millions(unet)])
    card(page, below, [("adapter", 34, AMBER), (f"features into {len(BLOCKS)} blocks", WORD, INK), millions(added)])
    arrow(page, between(left, right))
    return page


def millions(weights: int) -> tuple[str, int, tuple[int, int, int]]:
    return f"{weights / 1e6:.0f} million weights", SMALL, FAINT


def controller(hopper: Person, collins: Person) -> Image.Image:
    """Two kinds of files, and what they steer."""
    page = blank(WIDTH, 330)
    left, right = across(inner(page), 1.25, 1)
    above, below = down(left, 1, 1)
    sheet_of_paper(page, above, [("ip-adapter-plus-face", WORD, INK), ("models/ipadapter", SMALL, FAINT)])
    sheet_of_paper(page, below, [("FaceX, your own", WORD, INK), ("models/facex", SMALL, FAINT)])
    lines = [(f"{NAMES[family]}: {layers} layers", WORD, INK) for family, layers in FAMILY_OF_WIDTH.values()]
    card(page, right, [("controller", 34, AMBER), *lines])
    arrow(page, between(above, right))
    arrow(page, between(below, right))
    return page


def sampling(hopper: Person, collins: Person) -> Image.Image:
    """The first noise, beside that of an ordinary sampler; and the noise that is left at each step."""
    page = blank(WIDTH, 400)
    left, right = across(inner(page), 1, 1.9)
    noise = torch.randn(24, 32, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, 3)
    ours, usual = down(left, 1, 1)
    for box, scale, word in ((ours, SCALE, f"noise x {SCALE:.2f}"), (usual, 1.0, "KSampler: x 1")):
        seen = to_image(0.5 + 0.2 * scale * noise)
        tile(page, box, seen.resize((seen.width * 8, seen.height * 8), Image.Resampling.NEAREST), word)
    card(page, right, [])
    bars(page, right)
    arrow(page, between(ours, right))
    return page


def bars(page: Image.Image, box: Box) -> None:
    """The share of noise in the latent at each of the published timesteps."""
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
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(WORD)
    pen.text((x + width / 2, y + 36), f"noise left at {len(steps)} steps", INK, font, "mm")
    pen.text((left, base + 30), str(steps[0]), FAINT, font, "lm")
    pen.text((left + room, base + 30), str(steps[-1]), FAINT, font, "rm")
    pen.text((x + width / 2, base + 30), "timestep", FAINT, font, "mm")


def level_of(name: str) -> int:
    """The level of the UNet, 0 to 3, on which a block lies: its features are halved so many times."""
    side, number = name.split("_")
    return {"input": (int(number) - 1) // 3, "middle": 3, "output": 3 - int(number) // 3}[side]


def inject(hopper: Person, collins: Person) -> Image.Image:
    """The fused cells, and where they come to lie on each block of the UNet, from the way in to the way out."""
    made = fusion(hopper, collins)
    page = blank(WIDTH, 400)
    x, y, width, height = inner(page)
    rows = down((x, y + 40, width, height - 40), 1, 1, 1, 1)
    cells = [across(row, 1, 1, 2.35, 1, 1, 1) for row in rows]
    for block in BLOCKS:
        level, (side, _) = level_of(block.name), block.host
        beside = [b.name for b in BLOCKS if b.host[0] == side and level_of(b.name) == level]
        cell = cells[level][{"input": 0, "middle": 2, "output": 3}[side] + beside.index(block.name)]
        if side == "middle":
            cell = (cell[0] + (cell[2] - cell[3]) // 2, cell[1], cell[3], cell[3])
        tile(page, cell, trimmed(laid(made, block.name, 512 // CELL >> level), 0.12))
    above, below = cells[0][2], cells[2][2]
    fused_box = (above[0], above[1], above[2], below[1] + below[3] - above[1])
    tile(page, fused_box, to_image(draw_origin(made)[0]), "fused")
    arrow(page, between(cells[1][1], fused_box), back=True)
    arrow(page, (fused_box[0] + fused_box[2] + EDGE // 2, cells[1][3][1] + cells[1][3][3] // 2))
    pen, font, low = ImageDraw.Draw(page), ImageFont.load_default(WORD), rows[3][1] + rows[3][3] / 2
    for word, first, last, at in (
        ("input", cells[0][0], cells[0][1], y + 18),
        ("output", cells[0][3], cells[0][5], y + 18),
        ("middle", cells[3][3], cells[3][4], low),
        (f"{len(BLOCKS)} blocks", cells[3][0], cells[3][1], low),
    ):
        pen.text(((first[0] + last[0] + last[2]) / 2, at), word, INK, font, "mm")
    return page


def laid(made: FusedFeatures, block: str, side: int) -> Image.Image:
    """The features on a block of side x side cells: the view in grey, each reference's cells in its colour."""
    down_, across_ = residuals(made).windows((side, side))
    shades = torch.full((*made.grid, 3), 0.42)
    for number, colour in enumerate(REFERENCE_COLOURS, 1):
        shades[made.origin[0] == number] = torch.tensor(colour) / 255
    seen = torch.einsum("ij,jkc,lk->ilc", down_[0], shades, across_[0])
    return to_image(seen).resize((side * (192 // side), side * (192 // side)), Image.Resampling.NEAREST)


def marked(hopper: Person, collins: Person) -> Image.Image:
    """A saved picture, and what its file says when it is read again."""
    graph = {"1": {"class_type": "PartComposite", "inputs": {"eyes": ["2", 0], "mouth": ["3", 0]}},
             "4": {"class_type": "MarkEdited", "inputs": {"images": ["1", 0]}}}  # fmt: skip
    picture = to_image(fused(hopper.near, collins.near, "eyes", "mouth")[0])
    kind, edits = read_again(picture, edits_before(graph, "4"))
    page = blank(WIDTH, 400)
    left, right = across(inner(page), 1, 1.45)
    tile(page, left, picture, "face_parts.png")
    lines = [("the file says", SMALL, FAINT), *((line, WORD, AMBER) for line in textwrap.wrap(kind, 20))]
    lines += [("", 14, INK), *((line, SMALL, INK) for edit in edits for line in textwrap.wrap(edit, 24))]
    card(page, right, lines, "left")
    arrow(page, between(left, right))
    return page


def edits_before(graph: Mapping[str, object], node: str) -> list[str]:
    """Of nodes/host/graph_edits.py, which needs no host although its package does."""
    spec = importlib.util.spec_from_file_location("graph_edits", ROOT / "nodes" / "host" / "graph_edits.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.edits_before(graph, node)


def read_again(picture: Image.Image, edits: list[str]) -> tuple[str, list[str]]:
    """The source type in words, and the edits, from the metadata of a PNG that was saved with them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "face_parts.png")
        save_picture(picture, file, "png", edits=edits)
        with Image.open(file) as saved:
            packet = ElementTree.fromstring(saved.info["XML:com.adobe.xmp"])
    kind, written = ([e.text or "" for e in packet.iter() if e.tag.endswith(tag)] for tag in _TAGS)
    words = re.sub(r"[A-Z]", lambda capital: f" {capital[0].lower()}", kind[0].rpartition("/")[2])
    return words, written


SCHEMATICS: dict[str, Drawing] = {
    "FuseAnyPartLoader": loader,
    "ControllerLoad": controller,
    "FuseAnyPartSampling": sampling,
    "AdditionInject": inject,
    "MarkEdited": marked,
}
