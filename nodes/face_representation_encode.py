"""FACE_PARTS -> FACE_REPRESENTATION: each part of one person as tokens that steer a model."""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.parser_regions import parsed_where, parsed_where_missing
from ..detectors.parts import FaceParts
from ..detectors.progress import stages
from ..fusion.regions.parsed import lacking_regions
from ..fusion.regions.tasks import REGIONS
from .host.controller import FaceController
from .host.fingerprints import Stamp
from .host.ip_adapter import IPAdapterController
from .host.networks import builtin_parser, networks_on_disk
from .host.progress import host_progress
from .inputs.parts import strength_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceControllerWire, FacePartsWire, FaceRepresentationWire

STRENGTHS = {"face": 1.0, "eyes": 0.0, "brows": 0.0, "nose": 0.0, "mouth": 0.0, "skin": 0.0}
MORE = ("left_eye", "right_eye", "left_brow", "right_brow", "hair", "ears", "neck", "head")


class FaceRepresentationEncode(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceRepresentationEncode",
            display_name="Face Representation Encode",
            category="face parts/control",
            description="Encodes the face of one person, or single parts of it, each from a close crop of its own. "
            "Face Controller Apply steers a checkpoint with them.",
            search_aliases=["ipadapter", "ipadapter encoder", "encode face", "reference face", "face embed"],
            inputs=[
                FacePartsWire.Input(
                    "parts",
                    tooltip="The person who steers: the chosen face from Face Part Detect. Every picture needs one.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="The image encoder that the controller was trained with: CLIP ViT-H/14 for "
                    "every IP-Adapter that Face Controller Load takes, CLIP ViT-L/14 for FaceX.",
                ),
                *(_strength_input(part, default) for part, default in STRENGTHS.items()),
                *(_strength_input(part, 0.0, advanced=True) for part in MORE),
                field(
                    io.Float, "padding", default=0.25, min=0.0, max=2.0, step=0.05, advanced=True,
                    tooltip="Margin per side around each part in its crop, as a share of the part's longer side. More "
                    "shows the encoder what surrounds the part, less shows the part larger.",
                ),
                FaceControllerWire.Input(
                    "controller", optional=True,
                    tooltip="Needed for a FaceX controller only, which decides itself what is encoded; the strengths "
                    "above then do nothing. An IP-Adapter may be wired in or not.",
                ),
                io.Image.Input(
                    "inpaint", optional=True,
                    tooltip="For a FaceX controller: the inpainting reference from Region Assemble, of the size of the "
                    "pictures. Unplugged, the pictures themselves are used.",
                ),
            ],
            outputs=[
                FaceRepresentationWire.Output(
                    "representation", tooltip="Wire it into representations of Face Controller Apply."
                ),
                io.Image.Output("crops", tooltip="What the encoder saw: a crop per part and picture; for FaceX the "
                "pictures."),
                io.String.Output("report", tooltip="For FaceX: the regions that the face does not show."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> tuple[Stamp, ...]:
        return networks_on_disk()

    @classmethod
    def execute(
        cls, parts: FaceParts, clip_vision: Any, padding: float, controller: FaceController | None = None,
        inpaint: Tensor | None = None, **strengths: float,
    ) -> io.NodeOutput:  # fmt: skip
        encode = IPAdapterController.encode if controller is None else controller.encode
        parsing, encoding = stages(host_progress(), 2)
        if controller is not None and controller.self_sufficient:
            parts = parsed_where(parts, partial(lacking_regions, regions=REGIONS), builtin_parser, progress=parsing)
        else:
            given = [part for part, strength in strengths.items() if strength > 0]
            parts = parsed_where_missing(parts, given, builtin_parser, progress=parsing)
        return io.NodeOutput(*encode(clip_vision, parts, strengths, padding, inpaint, encoding))


def _strength_input(part: str, default: float, advanced: bool | None = None) -> Any:
    what = "whole face" if part == "face" else part.replace("_", " ")
    return strength_input(
        part,
        f"How strongly the {what} of this person steers the same region of the target: 0 not at all, 1 as the "
        "controller was trained.",
        default=default, most=2.0, advanced=advanced,
    )  # fmt: skip
