"""FACE_PARTS -> one file with a thumbnail, for Face Load."""

from __future__ import annotations

from comfy_api.latest import io

from ..detectors.parts import FaceParts
from ..injection.files.saved_face import save_face
from .host.folders import FACE_PARTS
from .host.previews import in_node
from .host.saved_files import new_path
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire


class FaceSave(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceSave",
            display_name="Face Save",
            category="face parts/detect",
            description="Keeps a person as one file: the photographs, the chosen face of each with its parts, and "
            "a thumbnail. Face Load gives them back without searching again.",
            search_aliases=["save face", "save person", "keep face", "face library", "face model", "export face"],
            is_output_node=True,
            inputs=[
                FacePartsWire.Input(
                    "parts",
                    tooltip="From Face Part Detect or Face Parse, one photograph or several. The whole pictures are "
                    "saved, and of the faces the chosen ones.",
                ),
                field(
                    io.String, "save_as", default="person",
                    tooltip="The name of the file in models/face_parts; a file of that name is replaced.",
                ),
            ],
            outputs=[
                FacePartsWire.Output("parts", tooltip="The same parts, to go on with."),
                io.Image.Output("thumbnail", tooltip="The first face, 128 pixels; it is in the file, too."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, parts: FaceParts, save_as: str) -> io.NodeOutput:
        thumbnail = save_face(parts, new_path(FACE_PARTS, save_as.strip()))[None]
        return io.NodeOutput(parts, thumbnail, ui=in_node(thumbnail))
