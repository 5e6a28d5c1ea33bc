"""A target and the people who give parts -> one fused picture; needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..detectors.picture import as_pictures
from ..fusion.captions import captioned
from ..fusion.composite import COVERS, SKIN_AREAS, WARPS, PartReference, composite, in_lines
from ..fusion.kept import KeptStacks
from ..metrics.describe.choose import suiting
from ..metrics.describe.describe import describe
from .host.networks import builtin_parser
from .host.previews import in_node
from .host.progress import host_progress
from .inputs.growing import growing_input, named_references
from .inputs.parts import MAIN_PARTS, strength_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire, PartReferenceWire

# Layers of the last runs: after a change of a strength they are only mixed anew.
_KEPT = KeptStacks()


def references_of(
    people: dict[str, FaceParts | None], strengths: dict[str, float], references: dict | None
) -> list[PartReference]:
    """The people on the sockets of single parts, then `references`, each in the order of their sockets.

    `people`, `strengths`: by part. Raises ValueError when nobody is wired in.
    """
    single = [PartReference(p, {part: strengths[part]}, None, part) for part, p in people.items() if p is not None]
    every = single + named_references(references)
    if not every:
        raise ValueError(
            "there is nothing to fuse: wire a Face Part Detect into eyes, brows, nose, mouth or skin, or a Part "
            "Reference into references"
        )
    return every


class PartComposite(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="PartComposite",
            has_intermediate_output=True,
            display_name="Part Composite",
            category="face parts/fuse",
            description="Fuses face parts of several people into the target photograph: each part takes the target's "
            "position, size and tilt, is matched in tone and blended in. Needs no model.",
            search_aliases=[
                "face swap", "faceswap", "part swap", "face fusion", "eyes", "nose", "mouth", "swap eyes",
                "swap nose", "swap mouth",
            ],
            inputs=[
                FacePartsWire.Input(
                    "target",
                    tooltip="The photograph that is changed. The new parts take its position, size, tilt, light and "
                    "skin tone.",
                ),
                *(_person_input(part) for part in MAIN_PARTS),
                *(_strength_input(part) for part in MAIN_PARTS),
                field(
                    io.Combo, "warp", options=list(WARPS), default=WARPS[0], advanced=True, label="part's shape",
                    tooltip="'similarity' moves, scales and turns the part and keeps its own shape, which keeps the "
                    "person recognisable. 'piecewise' also bends it to the target's outline: use it when the two "
                    "heads look in different directions.",
                ),
                field(
                    io.Float, "tone", default=1.0, min=0.0, max=1.0, step=0.05, advanced=True, label="skin tone",
                    tooltip="How far the part takes over the target's skin tone: 1 matches its lightness and colour, 0 "
                    "keeps the reference's, which suits make-up. Lips, irises and brows keep their own colour.",
                ),
                field(
                    io.Float, "grow", default=1.0, min=0.0, max=3.0, step=0.05, advanced=True, label="blended area",
                    tooltip="Size of the blended area around each part, as a multiple of its usual size: above 1 takes "
                    "more of the skin around the part, below 1 stays closer to it and shows more of the target.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="On the target: only what is white may change. Use it to keep hair, glasses or a hand "
                    "that lies over the face.",
                ),
                io.Image.Input(
                    "image", optional=True,
                    tooltip="Change this picture instead of the one in which the target was detected, for example an "
                    "edited version of it. It must have the same size.",
                ),
                growing_input(
                    PartReferenceWire, "references",
                    "Any number of further people from Part Reference. They are laid over the five sockets above in "
                    "their own order, so the last one wins where two give the same part.",
                    socket="One more person, from Part Reference.",
                ),
                field(
                    io.Float, "light", default=1.0, min=0.0, max=1.0, step=0.05, optional=True, advanced=True,
                    tooltip="How far the part takes over the way in which light falls on the target's face: 1 matches "
                    "shadows and highlights from one side, 0 keeps the reference's.",
                ),
                field(
                    io.Combo, "skin_area", options=list(SKIN_AREAS), default=SKIN_AREAS[0], optional=True,
                    advanced=True, label="skin takes",
                    tooltip="What skin takes. 'whole face': everything within the face oval, eyes and mouth included. "
                    "'skin only': brows, eyes, nose and mouth stay the target's.",
                ),
                field(
                    io.Combo, "covers", options=list(COVERS), default=COVERS[0], optional=True, advanced=True,
                    label="hair, glasses",
                    tooltip="Spectacles, hair or a hand over a part. 'spare' leaves them out of a reference and keeps "
                    "them on top of the target; 'ignore' blends them like the rest, where too much was spared.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The fused photographs; outside the mask bit for bit the target."),
                io.Mask.Output("mask", tooltip="Where the photograph changed; use it to inpaint lightly over it."),
                io.String.Output(
                    "report",
                    tooltip="What was done with each part, and why photographs do not suit each other: heads turned "
                    "differently, other light, a small or blurred reference, something over the part.",
                ),
                io.Image.Output("preview", tooltip="The fused photographs with the report written below them."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, target: FaceParts, warp: str, tone: float, grow: float,
        eyes_strength: float, brows_strength: float, nose_strength: float, mouth_strength: float, skin_strength: float,
        eyes: FaceParts | None = None, brows: FaceParts | None = None, nose: FaceParts | None = None,
        mouth: FaceParts | None = None, skin: FaceParts | None = None,
        mask: Tensor | None = None, image: Tensor | None = None, references: dict | None = None,
        light: float = 1.0, skin_area: str = SKIN_AREAS[0], covers: str = COVERS[0],
    ) -> io.NodeOutput:  # fmt: skip
        people = {"eyes": eyes, "brows": brows, "nose": nose, "mouth": mouth, "skin": skin}
        strengths = dict(
            zip(MAIN_PARTS, (eyes_strength, brows_strength, nose_strength, mouth_strength, skin_strength), strict=True)
        )
        sources = references_of(people, strengths, references)
        image = None if image is None else as_pictures(image)
        # Without a face in the target nothing changes, and a mask of its face is black.
        white = "" if target.nobody else "where the target may change"
        masks = None if mask is None else mask_per_picture(mask, target.pictures, white)
        fused = composite(
            target, sources, warp=warp, tone=tone, grow=grow, mask=masks, image=image, light=light,
            skin_area=skin_area, covers=covers,
            parser=builtin_parser() if covers == COVERS[0] else None, progress=host_progress(), kept=_KEPT,
        )  # fmt: skip
        report = in_lines(fused.report) + _advice(target, fused.report)
        preview = captioned(fused.pictures, fused.report)
        return io.NodeOutput(fused.pictures, fused.changed, report, preview, ui=in_node(preview))


def _advice(target: FaceParts, report: Sequence[Sequence[str]]) -> str:
    """For the first picture of which the report asks for another photograph: how Face Choose finds one."""
    for i, lines in enumerate(report):
        face = target.face(i)
        if face is not None and face.scheme.startswith("mediapipe") and any("choose" in line for line in lines):
            wishes = suiting(describe(target.pictures[i], face))
            return f"\nFace Choose finds photographs that suit this target with the conditions: {wishes}"
    return ""


def _person_input(part: str) -> Any:
    what = "skin (the whole face within its oval, unless skin_area is 'skin only')" if part == "skin" else part
    return FacePartsWire.Input(
        part, optional=True,
        tooltip=f"The person who gives {what}: a face from Face Part Detect. Unplugged, the target keeps its own.",
    )  # fmt: skip


def _strength_input(part: str) -> Any:
    return strength_input(
        f"{part}_strength",
        f"How strongly the person wired into {part} replaces the target's own: 0 leaves it, 1 replaces it completely. "
        "Without a wire it does nothing.",
        default=1.0,
        label=f"{part} strength",
    )
