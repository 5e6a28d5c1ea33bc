"""The help pictures of the face swap's nodes: what goes in and where it goes. No generator runs here."""

from __future__ import annotations

import torch
from help_pixels import WIDTH, WORD, leading, shown
from help_schematics import AMBER, SMALL, millions
from people import Person, faces, grey, picture
from PIL import Image
from sheets import FAINT, INK, Item, card, columns, paper, rows, sheet

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import to_image
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.fusion.face_swap import aligned_crop, swap_face
from face_part_fusion.injection.faces.fixer_net import lower_quarter
from face_part_fusion.injection.reliable_swap.aei_net import SIDE, AEINet
from face_part_fusion.injection.reliable_swap.source import identity_crop, trans_matrix
from face_part_fusion.metrics.bars import draw_bars
from face_part_fusion.metrics.figures import Figures
from face_part_fusion.metrics.score import Triple
from face_part_fusion.metrics.score import score as measured

# Width of the picture with bars, whose words must stay readable.
BARS = 640
TEMPLATE = FFHQ_POINTS * (SIDE / 512)


def load(target: Person, giver: Person) -> Image.Image:
    """A file with all networks, and what it becomes."""
    with torch.device("meta"):
        weights = sum(w.numel() for w in AEINet(640).parameters())
    file = paper(("G_mouth1_", WORD, INK), ("t38_post.pth", WORD, INK), ("models/face_swap", SMALL, FAINT))
    generator = card(("generator", 34, AMBER), (f"{SIDE} x {SIDE} pixels", WORD, INK), millions(weights))
    identity = card(("identity", 34, AMBER), ("ArcFace: 512 values", WORD, INK), ("FixerNet: 128 values", WORD, INK))
    return leading([file], rows(generator, identity), 1.25, 330)


def encode(target: Person, giver: Person) -> Image.Image:
    """The photograph, what ArcFace and FixerNet see of it, and how many values they make of it."""
    face = giver.whole.face(0)
    crop = aligned_crop(giver.whole.pictures[0], face, TEMPLATE, SIDE).movedim(-1, 0)[None] * 2 - 1
    whole = identity_crop(crop, trans_matrix(SIDE))
    seen = [
        (1, shown(to_image((each[0].movedim(0, -1) + 1) / 2), word))
        for each, word in ((whole, "ArcFace"), (lower_quarter(whole), "FixerNet"))
    ]
    values = card(("identity", 34, AMBER), ("512 + 128", WORD, INK))
    return sheet(WIDTH, 300, columns((1, shown(picture(giver.whole), "person")), *seen, (1, values), arrows=3))


def swap(target: Person, giver: Person) -> Image.Image:
    """The target, the crop that the generator changes, and where its result is laid back."""
    face, whole = target.whole.face(0), target.whole.pictures[0]
    made = swap_face(whole, face, lambda crop, _: crop, torch.zeros(1), TEMPLATE, SIDE)
    steps = [
        (1, shown(picture(target.whole), "target")),
        (1, shown(to_image(made.crop), "crop")),
        (1, shown(grey(made.changed[None]), "may change")),
    ]
    return sheet(WIDTH, 320, columns(*steps, arrows=2))


def restore(target: Person, giver: Person) -> Image.Image:
    """The photograph, the crop that a restorer gets, and how far its result shows."""
    face, whole = target.whole.face(0), target.whole.pictures[0]
    made = swap_face(whole, face, lambda crop, _: crop, torch.zeros(1), FFHQ_POINTS, 512, amount=0.8)
    steps = [
        (1, shown(picture(target.whole), "target")),
        (1, shown(to_image(made.crop), "512 x 512")),
        (1, shown(grey(made.changed[None]), "restored")),
    ]
    return sheet(WIDTH, 320, columns(*steps, arrows=2))


def score(target: Person, giver: Person) -> Image.Image:
    """The bars of a fused picture."""
    fused = composite(target.near, [PartReference(giver.near, {"eyes": 1.0, "mouth": 1.0})])[0]
    result = faces(fused)
    triple = Triple(result, target.near, dict.fromkeys(("eyes", "mouth"), giver.near))
    fewer = ("taken_eyes", "taken_mouth", "pose", "expression", "gaze", "light", "seam")
    figures = {key: value for key, value in measured(triple).values.items() if key in fewer}
    shown = {"result": result, "target": target.near, "eyes, mouth": giver.near}
    bars = to_image(draw_bars(Figures(figures), shown))
    return bars.resize((BARS, round(bars.height * BARS / bars.width)), Image.Resampling.LANCZOS)


def save_face(target: Person, giver: Person) -> Image.Image:
    """A photograph with its parts, and the file that keeps it."""
    return sheet(WIDTH, 320, columns((1, shown(_numbered(giver), "parts")), (1, _file()), arrows=1))


def load_face(target: Person, giver: Person) -> Image.Image:
    """The same the other way round."""
    return sheet(WIDTH, 320, columns((1, _file()), (1, shown(_numbered(giver), "parts")), arrows=1))


def _numbered(person: Person) -> Image.Image:
    return to_image(draw_preview(person.whole)[0])


def _file() -> Item:
    return paper(("anna", WORD, INK), (".safetensors", WORD, INK), ("models/face_parts", SMALL, FAINT))


SWAPS = {
    "FaceSwapLoad": load, "IdentityEncode": encode, "FPFFaceSwap": swap, "FPFFaceRestore": restore,
    "FPFFaceScore": score, "FPFFaceSave": save_face, "FPFFaceLoad": load_face,
}  # fmt: skip
