"""FACE_PARTS and CLIP_VISION -> PART_FEATURES: one person's parts as encoder tokens."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parser_regions import PARSED_PARTS, parsed_where_missing
from ..detectors.parts import FaceParts
from ..detectors.progress import stages
from ..fusion.features.encode import Framing, encode_reference, encode_target
from ..fusion.features.painted import AUTOMATIC, read_colour
from ..fusion.features.records import MODES, ROLES
from .host.encoder import host_encoder
from .host.networks import builtin_parser
from .host.progress import host_progress
from .inputs.parts import FURTHER, MAIN_PARTS, ONE_SIDED, in_words, strength_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire, PartFeaturesWire

_DEFAULTS = {"eyes": 1.0, "nose": 1.0, "mouth": 1.0}


class PartEncode(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="PartEncode",
            display_name="Part Encode",
            category="face parts/fuse",
            description="Turns face parts into features of a CLIP vision model, for Mask Fuse: the parts that a person "
            "gives, each by itself, or the face that is changed, with those parts painted out.",
            search_aliases=["FuseAnyPart", "clip vision encode", "face features", "face part", "eyes", "nose", "mouth"],
            inputs=[
                FacePartsWire.Input(
                    "parts", tooltip="The person: the chosen face of every picture, from Face Part Detect."
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="The encoder, the same one in every Part Encode. FuseAnyPart was trained with CLIP "
                    "ViT-H/14 (Load CLIP Vision; the file that IPAdapter uses).",
                ),
                field(
                    io.Combo, "role", options=list(ROLES), default=ROLES[0],
                    tooltip="'reference' gives parts. 'target' is the photograph that is changed: every part with a "
                    "strength above 0 is painted out of it and made anew.",
                ),
                field(
                    io.Combo, "mode", options=list(MODES), default=MODES[0],
                    tooltip="'practical' is this pack's own: an upright close-up, so that a part fills more cells, any "
                    "part, soft edges. 'released' repeats the published program: the whole picture (at best 512 x 512 "
                    "with one face), boxes, eyes, nose and mouth only. Use the same in every Part Encode.",
                ),
                *(_strength_input(part) for part in MAIN_PARTS),
                *(_strength_input(part, advanced=True) for part in ONE_SIDED),
                field(
                    io.Float, "padding", default=0.1, min=0.0, max=2.0, step=0.05, advanced=True,
                    tooltip="'practical' only: margin around the face, in face sizes. Lower shows the encoder larger "
                    "parts, higher shows it more of the head.",
                ),
                field(
                    io.Boolean, "stacked", default=True, advanced=True,
                    tooltip="'released' only: boxes of eyes, nose and mouth that touch one another, as in the "
                    "published samples. Off, each box is close around its part.",
                ),
                field(
                    io.String, "fill", default=AUTOMATIC, advanced=True,
                    tooltip="Targets only: the colour painted over the parts, such as #f5dfd1. 'auto' takes the "
                    "colour of the cheeks.",
                ),
                *(_strength_input(part, advanced=True, optional=True) for part in FURTHER),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="'practical' only, on the picture of a reference: only what is white is taken. Use it to "
                    "leave out hair, glasses or a hand over the part.",
                ),
            ],
            outputs=[
                PartFeaturesWire.Output("features", tooltip="Wire it into target or references of Mask Fuse."),
                io.Image.Output("shown", tooltip="The pictures that were encoded, one for each part."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, parts: FaceParts, clip_vision: Any, role: str, mode: str, padding: float, stacked: bool, fill: str,
        mask: Tensor | None = None, **strengths: float,
    ) -> io.NodeOutput:  # fmt: skip
        if mask is not None and role == "target":
            raise ValueError(
                "mask is wired in and role is 'target'; a mask says what may be taken of a reference. Unplug it, and "
                "wire it into mask of Addition Inject to limit where the target changes"
            )
        framing, encoder = Framing(mode, stacked, padding), host_encoder(clip_vision)
        parsing, encoding = stages(host_progress(), 2)
        given = [part for part, strength in strengths.items() if strength > 0 and not framing.published]
        parts = parsed_where_missing(parts, given, builtin_parser, progress=parsing)
        if role == "target":
            colour = read_colour(fill)
            return io.NodeOutput(*encode_target(parts, encoder, strengths, framing, colour, encoding))
        masks = None if mask is None else mask_per_picture(mask, parts.pictures)
        return io.NodeOutput(*encode_reference(parts, encoder, strengths, framing, encoding, masks))


def _strength_input(part: str, **keywords: bool) -> Any:
    provider = "Parsed here unless Face Parse did. " if part in PARSED_PARTS else ""
    limits = f"'practical' only. {provider}" if part in FURTHER else ""
    return strength_input(
        part,
        f"{limits}Reference: how strongly this person gives {in_words(part)}; 0 not at all, 1 completely. Target: "
        "above 0, it is made anew.",
        default=_DEFAULTS.get(part, 0.0), **keywords,
    )  # fmt: skip
