"""FACE_PARTS -> square crops of the chosen faces, and the record that puts them back."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io
from torch import Tensor

from ..detectors.parts import FaceParts
from ..detectors.picture import as_pictures
from ..detectors.progress import stages
from ..fusion.crop import ALIGNMENTS, crop_faces
from ..fusion.masks import oval_masks
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceCropWire, FacePartsWire


class FaceCropAlign(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceCropAlign",
            display_name="Face Crop (Aligned)",
            category="face parts/crop",
            description="Cuts the chosen face out as a square of the size that your model works at. Edit the crop, "
            "then put it back with Face Paste Back.",
            search_aliases=["crop face", "align face", "face restore", "detailer", "FFHQ"],
            inputs=[
                FacePartsWire.Input("parts", tooltip="Faces from Face Part Detect; each picture's chosen face is cut."),
                field(
                    io.Int, "size", default=512, min=64, max=4096, step=8,
                    tooltip="Side of the square crop in pixels. Use the size that your model was trained at: 512 for "
                    "SD1.5, 1024 for SDXL and newer.",
                ),
                field(
                    io.Combo, "align", options=list(ALIGNMENTS), default=ALIGNMENTS[0],
                    tooltip="'upright' turns the face level and centres it. 'FFHQ' places eyes and mouth as in the "
                    "FFHQ data set, which face restorers and FFHQ-trained models expect. 'unrotated' cuts without "
                    "turning, which keeps the pixels sharpest.",
                ),
                field(
                    io.Float, "padding", default=0.5, min=0.0, max=3.0, step=0.05,
                    tooltip="Margin per side, in face sizes: 0.5 adds half a face on every side. Raise it to give the "
                    "model hair and neck as context; lower it to give the face more pixels. FFHQ has a margin of its "
                    "own and ignores this.",
                ),
                io.Image.Input(
                    "image", optional=True,
                    tooltip="Cut this picture instead of the one in which the faces were found, for example an edited "
                    "version of it. It must have the same size.",
                ),
            ],
            outputs=[
                io.Image.Output("crop", tooltip="One square crop per picture; its middle where it has no face."),
                FacePartsWire.Output("crop_parts", tooltip="The same faces in crop pixels, for Face Part Mask."),
                io.Mask.Output("mask", tooltip="The face oval in crop pixels, black where there is no face."),
                FaceCropWire.Output("face_crop", tooltip="Where each crop came from; wire it into Face Paste Back."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, parts: FaceParts, size: int, align: str, padding: float, image: Tensor | None = None
    ) -> io.NodeOutput:
        cropping, drawing = stages(host_progress(), 2)
        parts = parts if image is None else _in_other_pictures(parts, as_pictures(image))
        crop, crop_parts, face_crop = crop_faces(parts, size, align, padding, cropping)
        return io.NodeOutput(crop, crop_parts, oval_masks(crop_parts, drawing), face_crop)


def _in_other_pictures(parts: FaceParts, pictures: Tensor) -> FaceParts:
    """The same faces in other pictures. Raises ValueError when these differ in number or size."""
    if pictures.shape != parts.pictures.shape:
        (count, height, width), (needed, h, w) = pictures.shape[:3], parts.pictures.shape[:3]
        raise ValueError(
            f"image has {count} pictures of {width} x {height} pixels, and the faces of parts were found in {needed} "
            f"of {w} x {h}; wire in pictures of the same number and size, or find the faces in these"
        )
    return replace(parts, pictures=pictures)
