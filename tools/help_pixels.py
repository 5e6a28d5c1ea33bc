"""The help pictures of the nodes that need no model: every tile is what the pack's own functions give."""

from __future__ import annotations

from dataclasses import replace

import torch
from help_sheets import WIDTH, Drawing, between, inner, tile, tiles, trimmed
from people import Person, faces_in_photo, fused, outlined
from PIL import Image, ImageDraw
from sheets import across, arrow, blank, down
from torch import Tensor
from torch.nn import functional

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image, to_image
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.parsing import without_head
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.crop import FaceCrop, crop_faces, paste_back
from face_part_fusion.fusion.fade import fade_out
from face_part_fusion.fusion.masks import part_masks
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.match import match_assembly

FIRST, SECOND = (255, 193, 7), (41, 182, 246)


def detect(hopper: Person, collins: Person) -> Image.Image:
    """Both in one picture, numbered from left to right; number 1 is chosen."""
    both = torch.cat([person.near.pictures[:, 16:-40, 46:-46] for person in (hopper, collins)], 2)
    page = blank(WIDTH, 372)
    chosen = replace(faces_in_photo(both, BuiltinDetector(), "left-right"), chosen=(1,))
    tile(page, inner(page), to_image(draw_preview(chosen)[0]))
    return page


def mask(hopper: Person, collins: Person) -> Image.Image:
    """Four shapes of the mask of eyes, nose and mouth, over the dimmed photograph."""
    names, near = ("eyes", "nose", "mouth"), collins.near
    made = {
        "outline": part_masks(near, names),
        "box": part_masks(near, names, shape="box"),
        "stacked boxes": part_masks(near, names, shape="stacked boxes"),
        "grow 16, feather 32": part_masks(near, names, grow=16, feather=32),
    }
    page = blank(WIDTH, 512)
    boxes = [box for row in down(inner(page), 1, 1) for box in across(row, 1, 1)]
    tiles(page, boxes, [(word, trimmed(lit(near, white), 0.11)) for word, white in made.items()])
    return page


def lit(parts: FaceParts, white: Tensor) -> Image.Image:
    """The dimmed photograph with a mask (1, H, W) over it in white."""
    return to_image(torch.lerp(0.4 * parts.pictures[0], torch.ones(()), 0.92 * white[0, ..., None]))


def grey(white: Tensor) -> Image.Image:
    """A mask (1, H, W) as it is."""
    return to_image(white[0, ..., None].expand(-1, -1, 3))


def crop(hopper: Person, collins: Person) -> Image.Image:
    """A tilted photograph, where two crops lie in it, and the crops."""
    wall = functional.pad(collins.whole.pictures.permute(0, 3, 1, 2), (0, 0, 120, 0), "replicate")[0].permute(1, 2, 0)
    tilted = to_image(wall).rotate(-16, Image.Resampling.BICUBIC, center=(225, 230))
    held = faces_in_photo(from_image(tilted)[None, 100:450, 60:400], BuiltinDetector())
    page = blank(WIDTH, 430)
    left, right = across(inner(page), 2, 1)
    photo, scale = enlarged(held), 3
    pen = ImageDraw.Draw(photo)
    for box, align, colour in zip(down(right, 1, 1), ("upright", "FFHQ"), (FIRST, SECOND), strict=True):
        cut, _, made = crop_faces(held, 512, align, 0.5)
        pen.line([(x * scale, y * scale) for x, y in corners(made)], colour, 9, "curve")
        tile(page, box, framed(to_image(cut[0]), colour), align)
    tile(page, left, photo)
    arrow(page, between(left, right))
    return page


def enlarged(parts: FaceParts, scale: int = 3) -> Image.Image:
    image = to_image(parts.pictures[0])
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)


def corners(made: FaceCrop) -> list[tuple[float, float]]:
    """The border of the first crop in its picture, closed, and its first side again."""
    square = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 0]], dtype=torch.float64) * made.size
    turn, shift = made.matrices[0, :, :2], made.matrices[0, :, 2]
    return [(x, y) for x, y in torch.linalg.solve(turn, (square - shift).T).T.tolist()]


def framed(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    side = min(image.size)
    ImageDraw.Draw(image).rounded_rectangle((4, 4, side - 5, side - 5), 22, None, colour, 10)
    return image


def paste(hopper: Person, collins: Person) -> Image.Image:
    """A crop, an edit of it, and the photograph with the edit in its place."""
    _, near, made = crop_faces(hopper.whole, 512, "upright", 0.3)
    edited = fused(near, collins.near, "mouth")
    scale, result = 2, enlarged(replace(hopper.whole, pictures=paste_back(edited, made)[0]), 2)
    ImageDraw.Draw(result).line([(x * scale, y * scale) for x, y in corners(made)], FIRST, 6, "curve")
    page = blank(WIDTH, 390)
    left, right = across(inner(page), 1, 1.9)
    shown = [("crop", to_image(near.pictures[0])), ("edited", to_image(edited[0]))]
    tiles(page, down(left, 1, 1), shown, top=("crop", "edited"))
    tile(page, right, result.crop((0, 40, result.width, 1040)), "back in its place")
    arrow(page, between(left, right))
    return page


def reference(hopper: Person, collins: Person) -> Image.Image:
    """Who gives, which parts, the mask that leaves the fringe out, and what it comes to."""
    kept = 1 - part_masks(collins.near, ("hair",), grow=14, feather=10)
    given = PartReference(collins.near, {"skin": 1.0, "mouth": 1.0}, kept)
    page = blank(WIDTH, 430)
    left, right = across(inner(page), 1, 1.9)
    shown = [("skin, mouth", trimmed(outlined(collins.near, "skin", "mouth"), 0.08)), ("mask", grey(kept))]
    tiles(page, down(left, 1, 1), shown, top=("skin, mouth",))
    tile(page, right, trimmed(to_image(composite(hopper.near, [given])[0][0]), 0.08), "in Part Composite")
    arrow(page, between(left, right))
    return page


def parts_of_others(hopper: Person, collins: Person) -> Image.Image:
    """The target, who gives which part, and the fused photograph."""
    page = blank(WIDTH, 470)
    left, right = across(inner(page), 1, 2.7)
    shown = [("target", to_image(hopper.near.pictures[0]))]
    shown += [(part, trimmed(outlined(collins.near, part), 0.1)) for part in ("eyes", "mouth")]
    tiles(page, down(left, 1, 1, 1), shown, top=("mouth",))
    tile(page, right, trimmed(to_image(fused(hopper.near, collins.near, "eyes", "mouth")[0]), 0.14))
    arrow(page, between(left, right))
    return page


def regions(hopper: Person, collins: Person) -> Image.Image:
    """Three tasks as the paper has them: the picture and the mask."""
    page = blank(WIDTH, 430)
    above, below = down(inner(page), 1, 1)
    tasks = {"attribute edit": {"lips": "source"}, "face swap": {}, "head swap": {}}
    for (task, own), top, bottom in zip(tasks.items(), across(above, 1, 1, 1), across(below, 1, 1, 1), strict=True):
        made = assemble(task, collins.near, hopper.near, own)
        tile(page, top, to_image(made.picture[0]), task, top=True)
        tile(page, bottom, grey(made.mask), "mask")
    return page


def omni(hopper: Person, collins: Person) -> Image.Image:
    """Target and source; and for two tasks the picture that a checkpoint starts from, with its soft mask."""
    page = blank(WIDTH, 430)
    left, right = across(inner(page), 1, 2.1)
    who = [("target", to_image(collins.near.pictures[0])), ("source", to_image(hopper.near.pictures[0]))]
    tiles(page, down(left, 1, 1), who, top=("target", "source"))
    for task, row in zip(("face swap", "head swap"), down(right, 1, 1), strict=True):
        made = assemble(task, collins.near, hopper.near, shown="paste", fill="target kept")
        picture, mask = across(row, 1, 1)
        tile(page, picture, to_image(match_assembly(made, collins.near, 1.0).picture[0]), task, top=True)
        tile(page, mask, grey(fade_out(made.mask, 16)), "mask")
    arrow(page, between(left, right))
    return page


def parse(hopper: Person, collins: Person) -> Image.Image:
    """Masks wired in, and the preview, of a photograph without colours so that the tints are seen."""
    near, page = collins.near, blank(WIDTH, 430)
    left, right = across(inner(page), 1, 2.5)
    hair, ears, neck = down(left, 1, 1, 1)
    tile(page, hair, grey(part_masks(near, ("hair",))), "hair")
    tile(page, ears, grey(part_masks(near, ("ears",))), "ears", top=True)
    tile(page, neck, grey(part_masks(near, ("neck",))).crop((0, 120, 512, 512)), "neck", top=True)
    plain = replace(near, pictures=near.pictures.mean(-1, keepdim=True).expand(-1, -1, -1, 3))
    tile(page, right, to_image(draw_preview(without_head(plain))[0]))
    arrow(page, between(left, right))
    return page


PIXELS: dict[str, Drawing] = {
    "FacePartDetect": detect,
    "FacePartMask": mask,
    "FaceParse": parse,
    "FaceCropAlign": crop,
    "FacePasteBack": paste,
    "PartComposite": parts_of_others,
    "PartReference": reference,
    "RegionAssemble": regions,
    "OmniRepresentationCondition": omni,
}
