"""FACE_PARTS -> PART_REFERENCE: the parts that one person gives, with a strength for each."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..fusion.composite import PartReference as Reference
from ..fusion.composite import given_parts
from .inputs.parts import MAIN_PARTS, ONE_SIDED, in_words, strength_input
from .inputs.schema import FaceNode, schema
from .inputs.wires import FacePartsWire, PartReferenceWire


class PartReference(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="PartReference",
            display_name="Part Reference",
            category="face parts/fuse",
            description="Says which parts one person gives to Part Composite, and how strongly. Needed for more than "
            "one person per part, for a single eye or brow, or for a mask on the reference.",
            search_aliases=[
                "reference face", "face part", "donor face", "face swap", "faceswap", "eyes", "nose", "mouth",
            ],
            inputs=[
                FacePartsWire.Input("parts", tooltip="The person who gives: the chosen face from Face Part Detect."),
                *(_strength_input(part) for part in MAIN_PARTS),
                *(_strength_input(part, advanced=True) for part in ONE_SIDED),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="On the reference picture: only what is white is taken. Use it to leave out hair, glasses "
                    "or a hand over the part.",
                ),
            ],
            outputs=[PartReferenceWire.Output("reference", tooltip="Wire it into references of Part Composite.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, parts: FaceParts, mask: Tensor | None = None, **strengths: float) -> io.NodeOutput:
        for part, strength in strengths.items():
            if not 0 <= strength <= 1:
                raise ValueError(f"{part} is {strength:g}; set its strength between 0 (not taken) and 1")
        strength_by_part = given_parts(strengths)
        white = "" if parts.nobody else "what may be taken"
        masks = None if mask is None else mask_per_picture(mask, parts.pictures, white)
        return io.NodeOutput(Reference(parts, strength_by_part, masks))


def _strength_input(part: str, advanced: bool | None = None) -> Any:
    return strength_input(
        part,
        f"How strongly this person gives {in_words(part)}: 0 keeps the target's own, 1 takes this person's completely, "
        "a value between mixes the two.",
        advanced=advanced,
    )
