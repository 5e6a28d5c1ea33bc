"""The graph steps: schema and wiring. The only folder of the pack that imports the host."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .face_crop_align import FaceCropAlign
from .face_part_detect import FacePartDetect
from .face_part_mask import FacePartMask
from .face_paste_back import FacePasteBack
from .folders import register_folders
from .mark_edited import MarkEdited
from .part_composite import PartComposite
from .part_reference import PartReference

NODES: list[type[io.ComfyNode]] = [
    FacePartDetect,
    FacePartMask,
    FaceCropAlign,
    FacePasteBack,
    PartReference,
    PartComposite,
    MarkEdited,
]


class FacePartFusion(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        register_folders()
        return NODES
