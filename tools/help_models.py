"""The help pictures of the nodes that load, feed or steer a model: what goes in and what comes out.

No model runs here. What an encoder is shown and which cell of its map comes from whom does not depend on its weights.
"""

from __future__ import annotations

import textwrap

import torch
from help_pixels import grey
from help_sheets import WIDTH, Drawing, between, inner, tile, tiles, trimmed
from people import Person, outlined
from PIL import Image
from sheets import INK, across, arrow, blank, card, down
from torch import Tensor
from torch.nn import functional

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import to_image
from face_part_fusion.detectors.preview import REFERENCE_COLOURS
from face_part_fusion.fusion.features.encode import Encoder, Framing, encode_reference, encode_target
from face_part_fusion.fusion.features.fuse import fuse_features
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.features.part_crops import encode_crops
from face_part_fusion.fusion.features.records import FusedFeatures
from face_part_fusion.fusion.masks import part_masks
from face_part_fusion.fusion.regions.tasks import REGIONS, regions_from
from face_part_fusion.injection.fuse_any_part.ddim import alpha_bars, timesteps
from face_part_fusion.injection.fuse_any_part.latents import CELL
from face_part_fusion.injection.ip_adapter.regions import draw_regions, region_masks
from face_part_fusion.injection.sampling.masked_fusion import fit_mask

PARTS = ("eyes", "nose", "mouth")
# Cells and pixel values of CLIP ViT-H/14, without its weights.
SEEN = Encoder(
    "CLIP ViT-H/14 at 224 pixels", 224, (16, 16), 1, 1, (0.481, 0.458, 0.408), (0.269, 0.261, 0.276),
    lambda pixels: torch.zeros(len(pixels), 257, 1),
)  # fmt: skip
ANEW = (255, 183, 64)
STEPS = 50


def encode(hopper: Person, collins: Person) -> Image.Image:
    """What the encoder is shown: of a reference each part by itself, of the target all but the parts."""
    _, given = encode_reference(collins.near, SEEN, dict.fromkeys(PARTS, 1.0), Framing())
    _, painted = encode_target(hopper.near, SEEN, dict.fromkeys(PARTS, 1.0), Framing())
    page = blank(WIDTH, 448)
    above, below = down(inner(page), 1, 1.5)
    first, *others = across(above, 1.25, 1, 1, 1)
    tile(page, first, to_image(collins.near.pictures[0]), "reference")
    shown = [(part, trimmed(to_image(picture), 0.06)) for part, picture in zip(PARTS, given, strict=True)]
    tiles(page, others, shown, top=("mouth",))
    second, other = across(below, 1, 1)
    tile(page, second, trimmed(to_image(hopper.near.pictures[0]), 0.14), "target")
    tile(page, other, to_image(painted[0]), "painted out")
    arrow(page, between(first, others[0]))
    arrow(page, between(second, other))
    return page


def fusion(hopper: Person, collins: Person) -> FusedFeatures:
    target, _ = encode_target(hopper.near, SEEN, dict.fromkeys(PARTS, 1.0), Framing())
    return fuse_features(target, [encode_reference(collins.near, SEEN, {p: 1.0}, Framing())[0] for p in PARTS])


def fuse(hopper: Person, collins: Person) -> Image.Image:
    """Three references, and which cell of the target's map comes from which."""
    page = blank(WIDTH, 470)
    left, right = across(inner(page), 1, 2.7)
    colours = dict(zip(PARTS, REFERENCE_COLOURS, strict=False))
    shown = [(f"{i}: {p}", trimmed(outlined(collins.near, p, colours=colours), 0.1)) for i, p in enumerate(PARTS, 1)]
    tiles(page, down(left, 1, 1, 1), shown, top=("2: nose", "3: mouth"))
    tile(page, right, to_image(draw_origin(fusion(hopper, collins))[0]))
    arrow(page, between(left, right))
    return page


def represent(hopper: Person, collins: Person) -> Image.Image:
    """A person, and the crop that the encoder sees of each part."""
    names = ("face", *PARTS)
    crops = encode_crops(collins.near, SEEN, dict.fromkeys(names, 1.0), 0.25)[2]
    page = blank(WIDTH, 400)
    left, right = across(inner(page), 1, 1.6)
    tile(page, left, outlined(collins.near, *PARTS), "parts")
    boxes = [box for row in down(right, 1, 1) for box in across(row, 1, 1)]
    tiles(page, boxes, [(name, to_image(crop)) for name, crop in zip(names, crops, strict=True)])
    arrow(page, between(left, right))
    return page


def steered(hopper: Person, collins: Person) -> Image.Image:
    """Part crops, and the region of the target that each of them steers."""
    crops = encode_crops(collins.near, SEEN, dict.fromkeys(PARTS, 1.0), 0.25)[2]
    areas = [(region_masks(hopper.near, part, 0.05, 0.1), 1.0) for part in PARTS]
    page = blank(WIDTH, 470)
    left, right = across(inner(page), 1, 2.7)
    tiles(page, down(left, 1, 1, 1), [(part, to_image(crop)) for part, crop in zip(PARTS, crops, strict=True)])
    tile(page, right, to_image(draw_regions(areas, hopper.near)[0]), "who steers where")
    arrow(page, between(left, right))
    return page


def assembled(hopper: Person, collins: Person) -> Image.Image:
    """Two people, and what a face swap takes of each for the controller."""
    given = regions_from("face swap")
    page = blank(WIDTH, 400)
    left, right = across(inner(page), 1, 1.6)
    shown = [("target", to_image(hopper.near.pictures[0])), ("source", to_image(collins.near.pictures[0]))]
    tiles(page, rows := down(left, 1, 1), [(word, trimmed(image, 0.1)) for word, image in shown])
    more = {"target": ["pose, expression, gaze"], "source": ["identity"]}
    for (giver, _), box in zip(shown, down(right, 1, 1), strict=True):
        regions = [region for region in REGIONS if given[region] == giver]
        lines = [*textwrap.wrap(", ".join(regions), 26), *more[giver]]
        card(page, box, [(line, 26, INK) for line in lines])
    for row, box in zip(rows, down(right, 1, 1), strict=True):
        arrow(page, between(row, box))
    return page


def held(hopper: Person, collins: Person) -> Image.Image:
    """Target and mask, and in latent cells what is held at three steps of the sampling."""
    mask = part_masks(collins.near, ("eyes",), grow=20, feather=16)
    page = blank(WIDTH, 400)
    above, below = down(inner(page), 1, 1)
    first, second = across(above, 1, 1)
    tile(page, first, trimmed(to_image(collins.near.pictures[0]), 0.1), "target")
    tile(page, second, trimmed(grey(mask), 0.1), "mask")
    latent = functional.avg_pool2d(collins.near.pictures.permute(0, 3, 1, 2), CELL)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1))
    signals = alpha_bars()[timesteps(STEPS)].tolist()
    for step, box in zip((1, 40, STEPS), across(below, 1, 1, 1), strict=True):
        tile(page, box, trimmed(noised(latent, noise, mask, signals[step - 1]), 0.22), f"step {step}")
    return page


def noised(latent: Tensor, noise: Tensor, mask: Tensor, signal: float) -> Image.Image:
    """The target's cells at a step's noise; what is made anew is the model's business and drawn in one colour."""
    cells = (signal**0.5 * (2 * latent - 1) + (1 - signal) ** 0.5 * noise) / 2 + 0.5
    anew = torch.tensor(ANEW).view(1, 3, 1, 1) / 255
    cells = torch.lerp(cells, anew.expand_as(cells), fit_mask(mask, latent.shape))
    small = to_image(cells[0].permute(1, 2, 0))
    return small.resize((8 * small.width, 8 * small.height), Image.Resampling.NEAREST)


MODELS: dict[str, Drawing] = {
    "PartEncode": encode,
    "MaskFuse": fuse,
    "FaceRepresentationEncode": represent,
    "ControllerApply": steered,
    "RepresentationAssemble": assembled,
    "MaskedFusion": held,
}
