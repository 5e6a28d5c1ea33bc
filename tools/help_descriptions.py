"""The help pictures of the nodes that describe faces: what the pack itself says of the photographs."""

from __future__ import annotations

import textwrap

from help_pixels import WIDTH, leading, shown
from people import Person, faces, fused, picture
from PIL import Image
from sheets import FAINT, INK, Item, card, columns, rows, sheet

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import to_image
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_regions import parse_with_builtin
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.metrics.describe.choose import conditions, fit_of
from face_part_fusion.metrics.describe.compare import compare
from face_part_fusion.metrics.describe.describe import Description, describe
from face_part_fusion.metrics.describe.text import text_of

GREEN, RED = (102, 204, 140), (244, 104, 104)
SMALL = 24  # points


def described(parts: FaceParts) -> Description:
    parts = parse_with_builtin(parts, BuiltinParser())
    face = parts.face(0)
    if face is None:
        raise ValueError("there is no face to describe")
    return describe(parts.pictures[0], face)


def description(target: Person, giver: Person) -> Image.Image:
    """A photograph, and its tags."""
    tags = text_of(described(giver.near), "prompt for SD").split(", ")[1:]
    lines = [(line, SMALL, INK) for line in textwrap.wrap(", ".join(tags), 24)[:10]]
    return leading([shown(picture(giver.near))], card(*lines), 1.25, 330)


def comparison(target: Person, giver: Person) -> Image.Image:
    """A photograph, the same with somebody else's mouth, and what changed."""
    edited = fused(target.near, giver.near, "mouth")
    changes = compare(described(target.near), described(faces(edited)), ("mouth",))
    lines = [
        (f"{change.name.replace('_', ' ')}: {change.before.word} -> {change.after.word}"
         if change.word_changed else f"{change.name.replace('_', ' ')}: {change.amount:+.2f}",
         SMALL, GREEN if change.meant else RED)
        for change in sorted(changes, key=lambda each: not each.word_changed)[:6]
    ]  # fmt: skip
    above = columns((1, shown(picture(target.near), "before", 0.06)), (1, shown(to_image(edited[0]), "after", 0.06)))
    return sheet(WIDTH, 560, rows(above, card(*lines, ("green: meant, red: not meant", 20, FAINT)), shares=(1.35, 1)))


def choice(target: Person, giver: Person) -> Image.Image:
    """Photographs, and which of them fit."""
    wishes = conditions("smiling, mouth open, yaw < 15")

    def judged(person: Person) -> Item:
        fits = not fit_of(described(person.near), wishes).failed
        image = picture(person.near)
        return shown(image if fits else image.convert("L").convert("RGB"), "fits" if fits else "no")

    said = card(("smiling, mouth open, yaw < 15", 30, INK))
    return sheet(WIDTH, 400, rows(said, columns((1, judged(target)), (1, judged(giver))), shares=(0.22, 1)))


DESCRIPTIONS = {"FPFFaceDescribe": description, "FPFFaceCompare": comparison, "FPFFaceChoose": choice}
