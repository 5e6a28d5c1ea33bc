"""The help pictures of the nodes that need no model: every tile is what the pack's own functions give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from people import PARTS, Person, faces, fused, grey, outlined, picture
from PIL import Image, ImageDraw
from sheets import Item, columns, rows, sheet, tile, trimmed
from torch.nn import functional

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image, to_image
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.film import FaceFollower
from face_part_fusion.detectors.parsing import without_head
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.crop import FaceCrop, crop_faces, paste_back
from face_part_fusion.fusion.fade import fade_out
from face_part_fusion.fusion.masks import part_masks
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.match import match_assembly
from support.films import Actor, Path, film

# A help panel is about 300 pixels wide, so everything is seen at half its size.
WIDTH, WORD = 640, 30
FIRST, SECOND = (255, 193, 7), (41, 182, 246)


def shown(image: Image.Image, word: str = "", trim: float = 0.0, top: bool = False) -> Item:
    """A tile without a share `trim` of its side on every side; a word at its `top` covers less of some faces."""
    return tile(trimmed(image, trim), word, WORD, top)


def leading(left: Sequence[Item], right: Item, share: float, height: int) -> Image.Image:
    """Items one below another, an arrow, and what they lead to, `share` times as wide."""
    return sheet(WIDTH, height, columns((1, rows(*left)), (share, right), arrows=1))


def detect(target: Person, giver: Person) -> Image.Image:
    """Both in one picture, numbered from left to right; number 1 is chosen."""
    both = torch.cat([person.near.pictures[:, 16:-40, 46:-46] for person in (target, giver)], 2)
    return sheet(WIDTH, 372, shown(to_image(draw_preview(replace(faces(both, "left-right"), chosen=(1,)))[0])))


def track(target: Person, giver: Person) -> Image.Image:
    """Four frames of a film in which one passes in front of the other; the left one of the first frame is followed."""

    def path(start: float, end: float) -> Path:
        return lambda share: (start + (end - start) * share, 0.54, 0.5, 0.0)

    actors = [
        Actor(person.near.pictures[0], person.near.faces[0][0].landmarks, way)
        for person, way in ((giver, path(0.22, 0.8)), (target, path(0.8, 0.22)))
    ]
    follower, pictures = FaceFollower(BuiltinDetector(), order="left-right"), []
    for number, frame in enumerate(film(actors, 40, (304, 540))):
        own, chosen = follower(frame.picture)
        if number in (2, 16, 21, 38):
            drawn = draw_preview(FaceParts(frame.picture[None], (own,), (chosen,)))[0]
            pictures.append((1, shown(to_image(drawn), f"frame {number + 1}")))
    return sheet(WIDTH, 372, rows(columns(*pictures[:2]), columns(*pictures[2:])))


def mask(target: Person, giver: Person) -> Image.Image:
    """Four shapes of the mask of eyes, nose and mouth, in white over the dimmed photograph."""

    def lit(word: str, **shape: int | str) -> Item:
        white = part_masks(giver.near, PARTS, **shape)[0, ..., None]
        return shown(to_image(torch.lerp(0.4 * giver.near.pictures[0], torch.ones(()), 0.92 * white)), word, 0.11)

    above = columns((1, lit("outline")), (1, lit("box", shape="box")))
    softer = lit("grow 16, feather 32", grow=16, feather=32)
    return sheet(WIDTH, 512, rows(above, columns((1, lit("stacked boxes", shape="stacked boxes")), (1, softer))))


def crop(target: Person, giver: Person) -> Image.Image:
    """A tilted photograph, where two crops lie in it, and the crops."""
    wall = functional.pad(giver.whole.pictures.permute(0, 3, 1, 2), (0, 0, 120, 0), "replicate")[0].permute(1, 2, 0)
    upright = to_image(wall).rotate(-16, Image.Resampling.BICUBIC, center=(225, 230))
    tilted = faces(from_image(upright)[None, 100:450, 60:400])
    photo, crops = enlarged(tilted, 3), []
    for align, colour in (("upright", FIRST), ("FFHQ", SECOND)):
        cut, _, made = crop_faces(tilted, 512, align, 0.5)
        draw_border(photo, made, 3, colour, 9)
        square = to_image(cut[0])
        ImageDraw.Draw(square).rounded_rectangle((4, 4, 507, 507), 22, None, colour, 10)
        crops.append(shown(square, align))
    return leading([shown(photo)], rows(*crops), 0.5, 430)


def enlarged(parts: FaceParts, scale: int) -> Image.Image:
    image = picture(parts)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)


def draw_border(image: Image.Image, made: FaceCrop, scale: int, colour: tuple[int, int, int], width: int) -> None:
    """The border of the first crop, in its picture at `scale`."""
    # Closed, and the first side again: corners are round where a line goes on.
    square = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 0]], dtype=torch.float64) * made.size
    turn, shift = made.matrices[0, :, :2], made.matrices[0, :, 2]
    corners = torch.linalg.solve(turn, (square - shift).T).T.tolist()
    ImageDraw.Draw(image).line([(x * scale, y * scale) for x, y in corners], colour, width, "curve")


def paste(target: Person, giver: Person) -> Image.Image:
    """A crop, an edit of it, and the photograph with the edit in its place."""
    _, near, made = crop_faces(target.whole, 512, "upright", 0.3)
    edited = fused(near, giver.near, "mouth")
    result = enlarged(replace(target.whole, pictures=paste_back(edited, made)[0]), 2)
    draw_border(result, made, 2, FIRST, 6)
    steps = [shown(picture(near), "crop", top=True), shown(to_image(edited[0]), "edited", top=True)]
    return leading(steps, shown(result.crop((0, 40, result.width, 1040)), "back in its place"), 1.9, 390)


def parts_of_others(target: Person, giver: Person) -> Image.Image:
    """The target, who gives which part, and the fused photograph."""
    eyes, mouth = (outlined(giver.near, part) for part in ("eyes", "mouth"))
    people = [shown(picture(target.near), "target"), shown(eyes, "eyes", 0.1), shown(mouth, "mouth", 0.1, top=True)]
    return leading(people, shown(to_image(fused(target.near, giver.near, "eyes", "mouth")[0]), trim=0.14), 2.7, 470)


def photographs_in(target: Person, giver: Person) -> Image.Image:
    """The target, a person who gives the mouth, and the picture that comes out."""
    people = [(1.0, shown(picture(target.near), "target")), (1.0, shown(picture(giver.near), "mouth"))]
    made = shown(to_image(fused(target.near, giver.near, "mouth")[0]), "out")
    return sheet(WIDTH, 320, columns(*people, (1.0, made), arrows=2))


def reference(target: Person, giver: Person) -> Image.Image:
    """Who gives, which parts, the mask that leaves the fringe out, and what it comes to."""
    kept = 1 - part_masks(giver.near, ("hair",), grow=14, feather=10)
    made, _, _ = composite(target.near, [PartReference(giver.near, {"skin": 1.0, "mouth": 1.0}, kept)])
    parts = shown(outlined(giver.near, "skin", "mouth"), "skin, mouth", 0.08, top=True)
    return leading([parts, shown(grey(kept), "mask")], shown(to_image(made[0]), "in Part Composite", 0.08), 1.9, 430)


def regions(target: Person, giver: Person) -> Image.Image:
    """Three tasks as the paper has them: the picture and the mask."""
    tasks = {"attribute edit": {"lips": "source"}, "face swap": {}, "head swap": {}}
    made = {task: assemble(task, giver.near, target.near, own) for task, own in tasks.items()}
    pictures = [(1, shown(to_image(each.picture[0]), task, top=True)) for task, each in made.items()]
    masks = [(1, shown(grey(each.mask), "mask")) for each in made.values()]
    return sheet(WIDTH, 430, rows(columns(*pictures), columns(*masks)))


def omni(target: Person, giver: Person) -> Image.Image:
    """Target and source; and for two tasks the picture that a checkpoint starts from, with its soft mask."""
    people = [shown(picture(giver.near), "target", top=True), shown(picture(target.near), "source", top=True)]
    starts = []
    for task in ("face swap", "head swap"):
        made = assemble(task, giver.near, target.near, shown="paste", fill="target kept")
        start = to_image(match_assembly(made, giver.near, 1.0).picture[0])
        starts.append(columns((1, shown(start, task, top=True)), (1, shown(grey(fade_out(made.mask, 16)), "mask"))))
    return leading(people, rows(*starts), 2.1, 430)


def parse(target: Person, giver: Person) -> Image.Image:
    """Masks wired in, and the preview, of a photograph without colours so that the tints are seen."""
    hair, ears, neck = (grey(part_masks(giver.near, (part,))) for part in ("hair", "ears", "neck"))
    masks = [shown(hair, "hair"), shown(ears, "ears", top=True)]
    masks.append(shown(neck.crop((0, 120, 512, 512)), "neck", top=True))
    plain = replace(giver.near, pictures=giver.near.pictures.mean(-1, keepdim=True).expand(-1, -1, -1, 3))
    return leading(masks, shown(to_image(draw_preview(without_head(plain))[0])), 2.5, 430)


PIXELS = {
    "FacePartDetect": detect,
    "FPFFaceTrack": track,
    "FPFFacePartMask": mask,
    "FaceParse": parse,
    "FPFFaceCropAlign": crop,
    "FPFFacePasteBack": paste,
    "PartComposite": parts_of_others,
    "FPFSwapFaceParts": photographs_in,
    "PartReference": reference,
    "RegionAssemble": regions,
    "OmniRepresentationCondition": omni,
}
