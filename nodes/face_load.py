"""A file of Face Save -> FACE_PARTS."""

from __future__ import annotations

from comfy_api.latest import io

from ..injection.files.saved_face import load_face
from .host.fingerprints import Stamp, stamps
from .host.folders import FACE_PARTS
from .host.previews import in_node
from .host.saved_files import NO_FACE, face_names, saved_path
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FacePartsWire


class FaceLoad(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceLoad",
            display_name="Face Load",
            category="face parts/detect",
            description="Gives back a person that Face Save kept: the photographs with their faces and parts, without "
            "searching again.",
            search_aliases=["load face", "load person", "saved faces", "face library", "face model"],
            has_intermediate_output=True,
            inputs=[
                field(
                    FileCombo, "saved", options=face_names(),
                    tooltip="A file of Face Save in models/face_parts. Press R after saving a new one.",
                ),
            ],
            outputs=[
                FacePartsWire.Output("parts", tooltip="The photographs with their faces, for the other face nodes."),
                io.Image.Output("image", tooltip="The photographs."),
                io.Image.Output("thumbnail", tooltip="The first face, 128 pixels."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, saved: str | None = None, **_: object) -> tuple[Stamp, ...]:
        return () if saved in (None, NO_FACE) else stamps(lambda: [saved_path(FACE_PARTS, saved)])

    @classmethod
    def execute(cls, saved: str) -> io.NodeOutput:
        if saved == NO_FACE:
            raise ValueError(
                "saved names no file, as models/face_parts has none: save a face with Face Save, then press R to "
                "refresh the list"
            )
        parts, thumbnail = load_face(saved_path(FACE_PARTS, saved))
        return io.NodeOutput(parts, parts.pictures, thumbnail[None], ui=in_node(thumbnail[None]))
