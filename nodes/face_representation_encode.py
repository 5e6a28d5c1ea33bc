"""FACE_PARTS -> FACE_REPRESENTATION: each part of one person as tokens that steer a model."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.parts import FaceParts
from .host.controller import FaceController
from .host.fingerprints import Stamp
from .host.ip_adapter import IPAdapterController
from .host.networks import networks_on_disk
from .host.progress import host_progress
from .inputs.schema import field, schema
from .inputs.wires import FaceControllerWire, FacePartsWire, FaceRepresentationWire

STRENGTHS = {"face": 1.0, "eyes": 0.0, "brows": 0.0, "nose": 0.0, "mouth": 0.0, "skin": 0.0}
MORE = ("left_eye", "right_eye", "left_brow", "right_brow", "hair", "ears", "neck", "head")


class FaceRepresentationEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceRepresentationEncode",
            display_name="Face Representation Encode",
            category="face parts/control",
            description="Encodes the face of one person, or single parts of it, each from a close crop of its own, so "
            "that Face Controller Apply can steer a checkpoint with them.",
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
                *(_strength(part, default) for part, default in STRENGTHS.items()),
                *(_strength(part, 0.0, advanced=True) for part in MORE),
                field(
                    io.Float, "padding", default=0.25, min=0.0, max=2.0, step=0.05, advanced=True,
                    tooltip="Room around each part in its crop, as a share of the part's longer side. More shows the "
                    "encoder what surrounds the part, less shows the part larger.",
                ),
                FaceControllerWire.Input(
                    "controller", optional=True,
                    tooltip="Needed for a FaceX controller only, which says itself what is encoded; the strengths "
                    "above then do nothing. An IP-Adapter may be wired in or not.",
                ),
                io.Image.Input(
                    "inpaint", optional=True,
                    tooltip="For a FaceX controller: the inpainting reference in the frame of the pictures, from "
                    "Region Assemble. Unplugged, the pictures themselves.",
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
        return io.NodeOutput(*encode(clip_vision, parts, strengths, padding, inpaint, host_progress()))


def _strength(part: str, default: float, advanced: bool = False) -> object:
    what = "whole face" if part == "face" else part.replace("_", " ")
    return field(
        io.Float, part, default=default, min=0.0, max=2.0, step=0.05, advanced=advanced or None,
        tooltip=f"How strongly the {what} of this person steers the same region of the target: 0 not at all, 1 as the "
        "controller was trained.",
    )  # fmt: skip
