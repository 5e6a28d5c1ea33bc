"""Photographs and a restorer -> photographs with sharper faces."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..fusion.composite import COVERS, in_lines
from ..injection.reliable_swap.restore import FACES, RestoreSettings, restore_faces
from .host.face_restore import restorer_of
from .host.fingerprints import Stamp, stamps
from .host.networks import builtin_parser
from .host.progress import host_progress
from .host.swap_files import restorer_names, restorer_path
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FacePartsWire


class FaceRestore(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceRestore",
            display_name="Face Restore",
            category="face parts/swap",
            description="Makes soft faces sharp again, as after a face swapper of 128 pixels, by an ONNX face restorer "
            "that you own or by any upscale model of ComfyUI.",
            search_aliases=[
                "face restore", "restore face", "gfpgan", "codeformer", "gpen", "restoreformer", "enhance face",
                "reactor",
            ],
            inputs=[
                FacePartsWire.Input(
                    "target",
                    tooltip="The photographs, from Face Part Detect; after Face Swap, wire its image through one more "
                    "Face Part Detect.",
                ),
                field(
                    FileCombo, "restorer", options=restorer_names(),
                    tooltip="An ONNX file in models/facerestore_models: gfpgan_1.4.onnx (Apache-2.0), codeformer.onnx "
                    "(S-Lab, non-commercial), restoreformer_plus_plus.onnx (Apache-2.0), gpen_bfr_512.onnx "
                    "(non-commercial). None comes with this pack. Or 'upscale_model', with one wired in.",
                ),
                field(
                    io.Combo, "faces", options=list(FACES), default=FACES[0],
                    tooltip="Which faces: those that Face Part Detect chose, or all of a picture.",
                ),
                field(
                    io.Float, "fidelity", default=0.7, min=0.0, max=1.0, step=0.05,
                    tooltip="With CodeFormer: 0 gives the finest face that it knows, 1 stays closest to this person. "
                    "Other restorers have no such choice.",
                ),
                field(
                    io.Float, "blend", default=0.8, min=0.0, max=1.0, step=0.05,
                    tooltip="How far the restored face shows over the photograph's; 0 leaves the picture.",
                ),
                field(
                    io.Combo, "covers", options=list(COVERS), default=COVERS[0], advanced=True,
                    tooltip="'spare' leaves spectacles, hair and hands over the face as they are; 'ignore' restores "
                    "them too.",
                ),
                io.UpscaleModel.Input(
                    "upscale_model", optional=True,
                    tooltip="From Load Upscale Model: GFPGAN as .pth, or any that enlarges. It gets the face at 512 "
                    "pixels divided by its factor.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Only what is white may change; Face Swap's mask fits."),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The photographs with restored faces; outside the mask bit for bit."),
                io.Mask.Output("mask", tooltip="Where, and how far, they changed."),
                io.String.Output("report", tooltip="How many faces were restored, and what does not suit."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, restorer: str | None = None, **_: object) -> tuple[Stamp, ...]:
        return stamps(lambda: filter(None, [restorer_path(restorer or "")]))

    @classmethod
    def execute(
        cls, target: FaceParts, restorer: str, faces: str, fidelity: float, blend: float, covers: str,
        upscale_model: Any = None, mask: Tensor | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        spare = covers == COVERS[0]
        white = "" if target.nobody else "where the target may change"
        masks = None if mask is None else mask_per_picture(mask, target.pictures, white)
        restored = restore_faces(
            target, restorer_of(restorer, upscale_model), RestoreSettings(faces, fidelity, blend, spare), mask=masks,
            parser=builtin_parser() if spare else None, progress=host_progress(),
        )  # fmt: skip
        return io.NodeOutput(restored.pictures, restored.changed, in_lines(restored.report))
