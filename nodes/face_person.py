"""Photographs of one person -> FACE_PERSON: what a new picture may look at, and which region of it is theirs."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..detectors.find import find_faces
from ..detectors.given import as_masks
from ..detectors.parts import FaceParts, of_input
from ..detectors.picture import as_pictures
from ..detectors.progress import stages
from ..detectors.selection import FaceMissing, choose
from ..fusion.masks import part_mask
from ..injection.face_fusion.people import FacePerson as Person
from ..injection.face_fusion.photographs import CROPS, cut_photographs
from .host.networks import builtin_detector, builtin_parser
from .host.progress import host_progress
from .inputs.growing import growing_input
from .inputs.parts import strength_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePersonWire

ALL, HEAD, CHOSEN = "all", "head", "parts"
# The parser may leave a hole in a face in hard light; the oval has none.
OF_HEAD = ("head", "skin")
PARTS = ("eyes", "brows", "nose", "mouth", "skin", "ears", "hair")


class FacePerson(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FacePerson",
            display_name="Face Person",
            category="face parts/control",
            description="One person for Reference Fusion: any number of photographs, cut to the face by themselves, "
            "and the region of the new picture in which this person is to appear.",
            search_aliases=[
                "face reference", "reference only", "reference photo", "identity", "Face Fusion",
                "consistent character", "same person",
            ],
            inputs=[
                growing_input(
                    io.Image, "photographs",
                    "Photographs of one person, of any size; several of different views give a better likeness. A "
                    "batch counts as several. The largest face of each is taken.",
                    socket="One photograph of this person, or a batch.", least=1,
                ),
                field(
                    io.Combo, "crop", options=list(CROPS), default=CROPS[0],
                    tooltip="How each photograph is cut to the face: 'upright' levels the eyes, 'FFHQ' places them as "
                    "in that data set, 'unrotated' does not turn. 'whole picture' does not cut.",
                ),
                field(
                    io.Float, "padding", default=0.5, min=0.0, max=3.0, step=0.05,
                    tooltip="Room around the face on every side, in face sizes. Lower it for more pixels of the face, "
                    "raise it for hair and shoulders. 'FFHQ' and 'whole picture' ignore it.",
                ),
                field(
                    io.Int, "size", default=512, min=128, max=2048, step=64,
                    tooltip="Side of the cut photograph in pixels, of a whole picture its longer side. 512 suits SD1.5 "
                    "and is fast; 1024 is what SDXL was trained at, at four times the cost.",
                ),
                strength_input(
                    "strength",
                    "How much the photographs count beside the new picture's own content: 1 is equal, 0 leaves this "
                    "person out, 2 is twice as much.",
                    default=1.0, most=4.0,
                ),
                field(
                    io.DynamicCombo, "look_at",
                    options=[
                        io.DynamicCombo.Option(HEAD, []),
                        io.DynamicCombo.Option(ALL, []),
                        io.DynamicCombo.Option(CHOSEN, [_part_input(part) for part in PARTS]),
                    ],
                    tooltip="What of the photographs may be looked at: 'head' leaves out background and clothes, which "
                    "the new picture would else take over; 'all' is everything; 'parts' is only what you choose.",
                ),
                field(
                    io.Int, "face", default=0, min=0, max=99,
                    tooltip="With a layout: the number of the face in it that becomes this person, from 0 at the left.",
                ),
                field(
                    io.Float, "grow", default=0.35, min=-0.5, max=3.0, step=0.05, advanced=True,
                    tooltip="With a layout: how far the region reaches beyond that face, in face sizes, so that hair "
                    "and chin are inside.",
                ),
                field(
                    io.Float, "feather", default=0.2, min=0.0, max=2.0, step=0.05, advanced=True,
                    tooltip="With a layout: width of the region's soft edge, in face sizes.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Where in the new picture this person is to appear: white there, of the new picture's "
                    "shape. One for all new pictures, or one for each. Without mask and layout: everywhere.",
                ),
                io.Image.Input(
                    "layout", optional=True,
                    tooltip="A picture of the new picture's shape with people in it, such as the one that a ControlNet "
                    "gets: this person appears where its face is.",
                ),
            ],
            outputs=[
                FacePersonWire.Output("person", tooltip="wire it into persons of Reference Fusion or Person Latents."),
                io.Image.Output("shown", tooltip="The cut photographs, dark where they are not looked at."),
                io.Mask.Output("region", tooltip="Where in the new picture this person appears."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, photographs: dict[str, Tensor], crop: str, padding: float, size: int, strength: float,
        look_at: dict[str, Any], face: int, grow: float, feather: float, mask: Tensor | None = None,
        layout: Tensor | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        if not 0 <= strength <= 100:
            raise ValueError(f"strength is {strength:g}; set it between 0 (left out) and 4")
        wired = {name: as_pictures(image, name) for name, image in photographs.items() if image is not None}
        if not wired:
            raise ValueError("photographs is empty; wire in at least one photograph of the person")
        cutting, placing = stages(host_progress(), 2)
        cut = cut_photographs(
            wired, _largest_face, builtin_parser, crop=crop, size=size, padding=padding, parts=_parts(look_at),
            progress=cutting,
        )  # fmt: skip
        region = _region(mask, layout, face, grow, feather)
        if placing is not None:
            placing(1, 1)
        person = Person("person", tuple(p.picture for p in cut), tuple(p.view for p in cut), strength, region)
        return io.NodeOutput(person, torch.stack([photograph.shown(size) for photograph in cut]), region)


def _part_input(part: str) -> Any:
    return field(io.Boolean, part, default=part in PARTS[:4], tooltip=f"Whether the {part} may be looked at.")


def _parts(look_at: dict[str, Any]) -> tuple[str, ...]:
    """Empty for all of the picture. Raises ValueError when no part is chosen."""
    if look_at["look_at"] != CHOSEN:
        return OF_HEAD if look_at["look_at"] == HEAD else ()
    chosen = tuple(part for part in PARTS if look_at.get(part))
    if not chosen:
        raise ValueError("look_at is 'parts' and no part is switched on; switch on eyes, nose, mouth ... or take 'all'")
    return chosen


def _largest_face(picture: Tensor) -> FaceParts:
    return choose(picture, find_faces(picture, builtin_detector()))


def _region(mask: Tensor | None, layout: Tensor | None, face: int, grow: float, feather: float) -> Tensor:
    """(B or 1, H, W), (1, 1, 1) for everywhere. Raises ValueError for a region without white."""
    if mask is not None and layout is not None:
        raise ValueError("mask and layout both say where this person appears; unplug one of them")
    if layout is not None:
        return _region_of_face(as_pictures(layout, "layout"), face, grow, feather)
    if mask is None:
        return torch.ones(1, 1, 1)
    masks = as_masks(mask)
    if not bool(masks.isfinite().all()):
        raise ValueError("mask has values that are not numbers; wire in a mask from 0 (black) to 1 (white)")
    if not bool((masks > 0).any()):
        raise ValueError(
            "mask is black everywhere, so this person would appear nowhere; paint white where the face is to be, or "
            "unplug it for everywhere"
        )
    return masks.clamp(0, 1)


def _region_of_face(pictures: Tensor, number: int, grow: float, feather: float) -> Tensor:
    if not (-1 <= grow <= 10 and 0 <= feather <= 10):
        raise ValueError(f"grow is {grow:g} and feather {feather:g}; needed are -1 to 10 and 0 to 10 face sizes")
    try:
        parts = choose(pictures, find_faces(pictures, builtin_detector()), "left-right", number)
    except FaceMissing as missing:
        raise ValueError(
            f"layout: {missing.fact}. Faces are numbered from 0 at the left: lower 'face', take a picture that shows "
            "as many faces as there are people, or wire a mask in instead"
        ) from missing
    masks = torch.zeros(len(parts), *parts.size)
    for i in range(len(parts)):
        own = parts.face(i)
        if own is not None:
            unit = max(own.box[2] - own.box[0], own.box[3] - own.box[1])
            with of_input("layout", i, len(parts)):
                masks[i] = part_mask(own, ("skin",), parts.size, grow=grow * unit, feather=feather * unit)
    return masks
