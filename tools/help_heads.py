"""The help pictures of the nodes that put one person's head on another's body."""

from __future__ import annotations

import torch
from help_pixels import WIDTH, shown
from people import Person, grey, picture
from PIL import Image
from sheets import columns, rows, sheet
from torch import Tensor
from torch.nn import functional

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import to_image
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_regions import parse_with_builtin
from face_part_fusion.fusion.regions.head_swap import swap_head
from face_part_fusion.fusion.regions.layout import PALETTE
from face_part_fusion.fusion.regions.pair import HeadLayout, complete_layout, make_layout

# Cells of a latent as they are drawn, in pixels of the photograph, and the share of noise in the step that is shown.
CELL, NOISE = 12, 0.55


def joined(target: Person, giver: Person) -> HeadLayout:
    parser = BuiltinParser()
    return make_layout(*(parse_with_builtin(person.whole, parser) for person in (giver, target)))


def layout(target: Person, giver: Person) -> Image.Image:
    """Head and body; where they stay; the two masks."""
    pair = joined(target, giver)
    masks = pair.masks()
    people = columns((1, shown(picture(giver.whole), "head")), (1, shown(picture(target.whole), "body")))
    made = columns(
        (1, shown(to_image(pair.pairs[0].coarse()), "coarse")),
        (1, shown(grey(masks[0]), "head_mask")), (1, shown(grey(masks[1]), "body_mask")),
    )  # fmt: skip
    return sheet(WIDTH, 460, rows(people, made, shares=(3, 2)))


def complete(target: Person, giver: Person) -> Image.Image:
    """The layout before and after."""
    pair = joined(target, giver)
    both = [to_image(each.drawn(PALETTE)[0]) for each in (pair, complete_layout(pair))]
    items = [(1, shown(image, word)) for image, word in zip(both, ("from Head Layout", "completed"), strict=True)]
    return sheet(WIDTH, 320, columns(*items, arrows=1))


def mix(target: Person, giver: Person) -> Image.Image:
    """Both pictures at the noise of a step under their masks, and clean at the end."""
    pair = joined(target, giver)
    head, body, rest = (small(mask[0][None])[0] for mask in pair.masks())
    first, second = (small(each.permute(2, 0, 1)) for each in (pair.pairs[0].head, pair.pairs[0].body))
    noise = torch.randn(first.shape, generator=torch.Generator().manual_seed(1)) * 0.35 + 0.5
    steps = []
    for share, word in ((NOISE, "in a step"), (0.0, "at the end")):
        cells = head * torch.lerp(first, noise, share) + body * torch.lerp(second, noise, share)
        cells = cells + rest * torch.tensor([1.0, 0.76, 0.03])[:, None, None]
        image = to_image(cells.clamp(0, 1).permute(1, 2, 0))
        steps.append(
            (1, shown(image.resize((image.width * CELL, image.height * CELL), Image.Resampling.NEAREST), word))
        )
    return sheet(WIDTH, 320, columns(*steps))


def small(image: Tensor) -> Tensor:
    return functional.avg_pool2d(image[None], CELL)[0]


def swap(target: Person, giver: Person) -> Image.Image:
    """Head, body and the new person, in pixels."""
    made = swap_head(complete_layout(joined(target, giver)).pairs[0])[0]
    people = rows(shown(picture(giver.whole), "head"), shown(picture(target.whole), "body"))
    return sheet(WIDTH, 430, columns((1, people), (2.1, shown(to_image(made))), arrows=1))


HEADS = {"HeadLayout": layout, "LayoutComplete": complete, "SemanticMix": mix, "HeadSwap": swap}
