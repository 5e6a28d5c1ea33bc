"""FACE_PARTS -> a mask of any parts."""

from __future__ import annotations

from comfy_api.latest import io

from ..detectors.parser_regions import parsed_where_missing
from ..detectors.parts import PART_CHOICES, FaceParts
from ..detectors.progress import stages
from ..fusion.masks import SHAPES, part_masks
from .host.networks import builtin_parser
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire

SWITCHES = {"eyes": True, "brows": False, "nose": True, "mouth": True, "skin": False}
FACES = ("chosen", "all")


def named_parts(switches: dict[str, bool], more: str) -> tuple[str, ...]:
    """The parts that are switched on, and those in the list `more`. Raises ValueError for none or an unknown name."""
    parts = [part for part, on in switches.items() if on] + [p.strip() for p in more.split(",") if p.strip()]
    for part in parts:
        if part not in PART_CHOICES:
            raise ValueError(
                f"'{part}' in more is not a part; name any of {', '.join(PART_CHOICES)}, with commas between"
            )
    if not parts:
        raise ValueError(
            "no part is chosen; switch on at least one of eyes, brows, nose, mouth, skin, or name one in more"
        )
    return tuple(dict.fromkeys(parts))


class FacePartMask(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFacePartMask",
            display_name="Face Part Mask",
            category="face parts/mask",
            description="Makes a mask of any face parts, for inpainting, detailing or any other node that takes a "
            "mask.",
            search_aliases=[
                "mask", "eyes", "nose", "mouth", "face mask", "eye mask", "mouth mask", "face parsing",
                "segment face", "hair", "lips", "skin",
            ],
            inputs=[
                FacePartsWire.Input("parts", tooltip="Faces from Face Part Detect."),
                *(field(io.Boolean, p, default=on, tooltip=_SWITCH_TIPS[p]) for p, on in SWITCHES.items()),
                field(
                    io.String, "more", default="", advanced=True,
                    tooltip="More parts, separated by commas, added to those switched on: " + ", ".join(PART_CHOICES)
                    + ". Hair, ears, neck, head, background, body and glasses that no detector gave are parsed here. "
                    "Another part that the detector cannot give is an error that names a detector that can.",
                ),
                field(
                    io.Combo, "faces", options=list(FACES), default="chosen",
                    tooltip="'chosen' masks the faces that Face Part Detect chose; 'all' masks every detected face.",
                ),
                field(
                    io.Combo, "shape", options=list(SHAPES), default=SHAPES[0],
                    tooltip="'outline' follows the part. 'box' covers its upright box, which leaves a model more "
                    "room. 'stacked boxes' is the convention of the FuseAnyPart paper: boxes of eyes, nose and mouth "
                    "that share their left and right ends and touch each other; it knows no other parts.",
                ),
                field(
                    io.Int, "grow", default=0, min=-256, max=256,
                    tooltip="Pixels by which the mask grows outward; below 0 it shrinks. Raise it when the edge of the "
                    "old part shows through.",
                ),
                field(
                    io.Int, "feather", default=0, min=0, max=256,
                    tooltip="Pixels over which the edge fades from white to black. Raise it when the mask's edge "
                    "shows in the result; 0 gives a hard edge.",
                ),
                field(
                    io.Boolean, "invert", default=False,
                    tooltip="Swaps white and black: everything except the parts is selected. A picture without a "
                    "face becomes all white.",
                ),
            ],
            outputs=[io.Mask.Output("mask", tooltip="One mask per picture, white on the parts.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, parts: FaceParts, eyes: bool, brows: bool, nose: bool, mouth: bool, skin: bool,
        more: str, faces: str, shape: str, grow: int, feather: int, invert: bool,
    ) -> io.NodeOutput:  # fmt: skip
        names = named_parts({"eyes": eyes, "brows": brows, "nose": nose, "mouth": mouth, "skin": skin}, more)
        everyone = faces == "all"
        parsing, drawing = stages(host_progress(), 2)
        parts = parsed_where_missing(parts, names, builtin_parser, everyone=everyone, progress=parsing)
        mask = part_masks(parts, names, everyone=everyone, shape=shape, grow=grow, feather=feather, progress=drawing)
        return io.NodeOutput(1 - mask if invert else mask)


_SWITCH_TIPS = {
    "eyes": "Adds both eyes. For one of them, switch this off and write left_eye or right_eye (the picture's) into "
    "more.",
    "brows": "Adds both brows. For one of them, switch this off and write left_brow or right_brow into more.",
    "nose": "Adds the nose with bridge, wings and tip.",
    "mouth": "Adds the lips and the inside of the mouth. For the lips alone, switch this off and write lips into more.",
    "skin": "Adds the whole face oval, from chin to forehead; it covers all other parts.",
}
