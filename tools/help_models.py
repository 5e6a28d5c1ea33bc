"""The help pictures of the nodes that load, feed or steer a model: what goes in and what comes out.

No model runs here. What an encoder is shown and which cell of its map comes from whom does not depend on its weights.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import torch
from help_pixels import WIDTH, leading, shown
from people import PARTS, Person, grey, outlined, picture
from PIL import Image
from sheets import INK, Item, card, columns, rows, sheet
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
from face_part_fusion.injection.ip_adapter.region_preview import draw_regions
from face_part_fusion.injection.ip_adapter.regions import region_masks
from face_part_fusion.injection.sampling.masked_fusion import fit_mask

ALL = dict.fromkeys(PARTS, 1.0)
# Cells and pixel values of CLIP ViT-H/14, without its weights.
ENCODER = Encoder(
    "CLIP ViT-H/14 at 224 pixels", 224, (16, 16), 1, 1, (0.481, 0.458, 0.408), (0.269, 0.261, 0.276),
    lambda pixels: torch.zeros(len(pixels), 257, 1),
)  # fmt: skip
PADDING = 0.25  # share of a part's size around its crop, the default of Face Representation Encode
GROW, FEATHER = 0.05, 0.1  # in face sizes, the defaults of Face Controller Apply
SAMPLED = (255, 183, 64)  # colour of what the model samples
STEPS = 50


def encode(target: Person, giver: Person) -> Image.Image:
    """What the encoder is shown: of a reference each part by itself, of the target all but the parts."""
    _, parts = encode_reference(giver.near, ENCODER, ALL, Framing())
    _, painted = encode_target(target.near, ENCODER, ALL, Framing())
    crops = [(1, shown(to_image(each), part, 0.06, part == "mouth")) for part, each in zip(PARTS, parts, strict=True)]
    above = columns((1.25, shown(picture(giver.near), "reference")), *crops, arrows=1)
    below = columns((1, shown(picture(target.near), "target", 0.14)), (1, shown(to_image(painted[0]), "painted out")),
                    arrows=1)  # fmt: skip
    return sheet(WIDTH, 448, rows(above, below, shares=(1, 1.5)))


def fusion(target: Person, givers: Sequence[Person], framing: Framing) -> FusedFeatures:
    """`givers`: who gives eyes, nose and mouth."""
    references = [
        encode_reference(giver.near, ENCODER, {part: 1.0}, framing)[0]
        for part, giver in zip(PARTS, givers, strict=True)
    ]
    return fuse_features(encode_target(target.near, ENCODER, ALL, framing)[0], references)


def fuse(target: Person, giver: Person) -> Image.Image:
    """Three references, and which cell of the target's map comes from which."""
    colours = dict(zip(PARTS, REFERENCE_COLOURS, strict=False))
    references = [
        shown(outlined(giver.near, part, colours=colours), f"{number}: {part}", 0.1, number > 1)
        for number, part in enumerate(PARTS, 1)
    ]
    return leading(references, shown(to_image(draw_origin(fusion(target, [giver] * 3, Framing()))[0])), 2.7, 470)


def part_crops(person: Person, *parts: str) -> list[Item]:
    """The crop that the encoder is shown of each part."""
    crops = encode_crops(person.near, ENCODER, dict.fromkeys(parts, 1.0), PADDING)[2]
    return [shown(to_image(crop), part) for part, crop in zip(parts, crops, strict=True)]


def represent(target: Person, giver: Person) -> Image.Image:
    """A person, and the crop that the encoder is shown of each part."""
    face, eyes, nose, mouth = ((1, crop) for crop in part_crops(giver, "face", *PARTS))
    crops = rows(columns(face, eyes), columns(nose, mouth))
    return leading([shown(outlined(giver.near, *PARTS), "parts")], crops, 1.6, 400)


def steered_regions(target: Person) -> Image.Image:
    """Who steers which region, as Face Controller Apply shows it."""
    areas = [(region_masks(target.near, part, GROW, FEATHER), 1.0) for part in PARTS]
    return to_image(draw_regions(areas, target.near)[0])


def steered(target: Person, giver: Person) -> Image.Image:
    """Part crops, and the region of the target that each of them steers."""
    return leading(part_crops(giver, *PARTS), shown(steered_regions(target), "who steers where"), 2.7, 470)


def assembled(target: Person, giver: Person) -> Image.Image:
    """Two people, and what a face swap takes of each for the controller."""
    giver_of = regions_from("face swap")
    people = []
    for name, person, more in (("target", target, "pose, expression, gaze"), ("source", giver, "identity")):
        regions = ", ".join(region for region in REGIONS if giver_of[region] == name)
        takes = card(*((line, 26, INK) for line in (*textwrap.wrap(regions, 26), more)))
        people.append(columns((1, shown(picture(person.near), name, 0.1)), (1.6, takes), arrows=1))
    return sheet(WIDTH, 400, rows(*people))


def masked(target: Person, giver: Person) -> Image.Image:
    """Target and mask, and in latent cells what is kept at three steps of the sampling run."""
    mask = part_masks(giver.near, ("eyes",), grow=20, feather=16)
    latent = functional.avg_pool2d(giver.near.pictures.permute(0, 3, 1, 2), CELL)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1))
    signals = alpha_bars()[timesteps(STEPS)].tolist()
    given = columns((1, shown(picture(giver.near), "target", 0.1)), (1, shown(grey(mask), "mask", 0.1)))
    steps = [
        (1, shown(noised(latent, noise, mask, signals[step - 1]), f"step {step}", 0.22)) for step in (1, 40, STEPS)
    ]
    return sheet(WIDTH, 400, rows(given, columns(*steps)))


def noised(latent: Tensor, noise: Tensor, mask: Tensor, signal: float) -> Image.Image:
    """The target's cells at a step's noise; what the model samples is drawn in one colour."""
    cells = (signal**0.5 * (2 * latent - 1) + (1 - signal) ** 0.5 * noise) / 2 + 0.5
    sampled = torch.tensor(SAMPLED).view(1, 3, 1, 1) / 255
    cells = torch.lerp(cells, sampled.expand_as(cells), fit_mask(mask, latent.shape))
    small = to_image(cells[0].permute(1, 2, 0))
    return small.resize((8 * small.width, 8 * small.height), Image.Resampling.NEAREST)


MODELS = {
    "PartEncode": encode,
    "MaskFuse": fuse,
    "FaceRepresentationEncode": represent,
    "ControllerApply": steered,
    "RepresentationAssemble": assembled,
    "MaskedFusion": masked,
}
