"""Edited crops -> the photographs from which they were cut."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.picture import as_pictures
from ..fusion.crop import FaceCrop, paste_back
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceCropWire


class FacePasteBack(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFacePasteBack",
            display_name="Face Paste Back",
            category="face parts/crop",
            description="Puts edited crops of Face Crop (Aligned) back where they came from. Outside the mask the "
            "photograph stays exactly as it was.",
            search_aliases=["uncrop face", "paste face", "stitch face", "restore face"],
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The edited crops, one for each cropped picture. They may be larger or smaller than the "
                    "crops were, but must be square. Pixels that the edit left unchanged are not pasted.",
                ),
                FaceCropWire.Input("face_crop", tooltip="From the Face Crop (Aligned) node that made the crops."),
                field(
                    io.Int, "feather", default=16, min=0, max=512,
                    tooltip="Pixels of the crop over which its border fades into the photograph. Raise it when the "
                    "border shows; 0 gives a hard border. A mask has its own soft edge.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="On the crop: white is pasted, black keeps the photograph. Without a mask, everything "
                    "that the edit changed is pasted.",
                ),
                io.Image.Input(
                    "onto", optional=True,
                    tooltip="Paste onto these pictures instead of those that were cropped, for example when another "
                    "face was pasted before. They must have the same size.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The full-size photographs with the edited faces."),
                io.Mask.Output("mask", tooltip="Full size: where and how strongly the photograph was replaced."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, image: Tensor, face_crop: FaceCrop, feather: int, mask: Tensor | None = None, onto: Tensor | None = None
    ) -> io.NodeOutput:
        onto = None if onto is None else as_pictures(onto, "onto")
        pictures = as_pictures(image)
        # Without a face nothing is pasted, and a mask of it may be black.
        white = "what is to be pasted" if any(face_crop.has_face) else ""
        soft = None if mask is None else mask_per_picture(mask, pictures, white)
        return io.NodeOutput(*paste_back(pictures, face_crop, soft, float(feather), onto, host_progress()))
