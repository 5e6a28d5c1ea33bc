"""The help pictures of the nodes by which a model looks at photographs of people."""

from __future__ import annotations

import torch
from help_pixels import WIDTH, shown
from people import Person, faces, group, picture
from PIL import Image
from sheets import FAINT, INK, Item, card, columns, rows, sheet

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image, to_image
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.preview import REFERENCE_COLOURS
from face_part_fusion.fusion.masks import part_mask
from face_part_fusion.injection.face_fusion.people import sentence_of
from face_part_fusion.injection.face_fusion.photographs import cut_photographs

# Defaults of Face Person: margin and side of a crop, how far a region reaches beyond a face, and its soft edge.
PADDING, SIDE, GROW, FEATHER = 0.5, 512, 0.35, 0.2
HEAD = ("head", "skin")
BLUE = (41, 182, 246)


def looked_at(person: Person, *parts: str) -> Image.Image:
    cut = cut_photographs(
        {"photograph": person.whole.pictures[:1]}, faces, BuiltinParser, crop="upright", size=SIDE, padding=PADDING,
        parts=parts,
    )  # fmt: skip
    return to_image(cut[0].shown(SIDE))


def regions(*numbers: int) -> Image.Image:
    """Of faces of the group photograph, in colours over the dimmed photograph."""
    parts = faces(from_image(group())[None], "left-right")
    drawn = parts.pictures[0] * 0.6
    for number in numbers:
        face, tint = parts.faces[0][number], torch.tensor(REFERENCE_COLOURS[number]) / 255
        unit = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        mask = part_mask(face, ("skin",), parts.size, grow=GROW * unit, feather=FEATHER * unit)
        drawn = torch.lerp(drawn, parts.pictures[0] * 0.6 + tint * 0.4, mask[..., None])
    return to_image(drawn.clamp(0, 1))


def face_person(target: Person, giver: Person) -> Image.Image:
    """Two photographs; what of them may be looked at; and the regions of two people in a layout."""
    people = [
        columns((1, shown(picture(person.whole))), (1, shown(looked_at(person, *parts), word)), arrows=1)
        for person, parts, word in ((target, HEAD, "head"), (giver, ("eyes", "nose", "mouth"), "parts"))
    ]
    places = shown(regions(0, 2), "layout: face 0 and face 2")
    return sheet(WIDTH, 470, rows(columns(*((1, each) for each in people)), places, shares=(1, 1.65)))


def reference_fusion(target: Person, giver: Person) -> Image.Image:
    """Photographs pass the UNet; one softmax over the picture's own tokens and theirs."""
    photographs = rows(shown(looked_at(target, *HEAD), "person 0"), shown(looked_at(giver, *HEAD), "person 1"))
    unet = card(("the same UNet", 20, INK), ("in every step", 18, FAINT), ("keys and values", 18, BLUE),
                ("of every layer", 18, BLUE))  # fmt: skip
    attention = card(
        ("each layer's attention", 20, INK), ("softmax( Q [ K ; K0 ; K1 ] + M )", 17, BLUE),
        ("M: log of the person's weight", 18, FAINT), ("where the query is theirs,", 18, FAINT),
        ("else nothing of them", 18, FAINT),
    )  # fmt: skip
    return sheet(WIDTH, 330, columns((1, photographs), (1, unet), (1.75, attention), arrows=2))


def person_latents(target: Person, giver: Person) -> Image.Image:
    """Photographs in order, a latent for each, and the sentence."""

    def latent(person: Person, number: int) -> Item:
        small = looked_at(person).resize((SIDE // 8, SIDE // 8), Image.Resampling.BOX)
        return shown(small.resize((SIDE, SIDE), Image.Resampling.NEAREST), f"latent {number}")

    pairs = [
        columns((1, shown(looked_at(each), f"image {i}")), (1, latent(each, i)), arrows=1)
        for i, each in enumerate((target, giver), 1)
    ]
    sentences = sentence_of([1, 1]).replace(". ", ".\n").splitlines()
    words = card(*((line, 18, INK) for line in sentences), ("... and your prompt", 18, FAINT))
    return sheet(WIDTH, 330, columns((1, rows(*pairs)), (1.25, words), arrows=1))


REFERENCES = {"FacePerson": face_person, "ReferenceFusion": reference_fusion, "PersonLatents": person_latents}
