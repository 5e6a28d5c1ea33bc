"""The nodes, one file for each: schema and wiring. The only folder of the pack that imports the host."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension

from .addition_inject import AdditionInject
from .controller_apply import ControllerApply
from .controller_load import ControllerLoad
from .face_crop_align import FaceCropAlign
from .face_parse import FaceParse
from .face_part_detect import FacePartDetect
from .face_part_mask import FacePartMask
from .face_paste_back import FacePasteBack
from .face_representation_encode import FaceRepresentationEncode
from .fuse_any_part_loader import FuseAnyPartLoader
from .fuse_any_part_sampling import FuseAnyPartSampling
from .head_layout import HeadLayout
from .head_swap import HeadSwap
from .host.folders import register_folders
from .inputs.schema import FaceNode
from .layout_complete import LayoutComplete
from .mark_edited import MarkEdited
from .mask_fuse import MaskFuse
from .masked_fusion import MaskedFusion
from .omni_representation_condition import OmniRepresentationCondition
from .part_composite import PartComposite
from .part_encode import PartEncode
from .part_reference import PartReference
from .region_assemble import RegionAssemble
from .representation_assemble import RepresentationAssemble
from .semantic_mix import SemanticMix

NODES: list[type[FaceNode]] = [
    FacePartDetect,
    FacePartMask,
    FaceCropAlign,
    FacePasteBack,
    PartReference,
    PartComposite,
    MarkEdited,
    MaskedFusion,
    FuseAnyPartLoader,
    FaceParse,
    RegionAssemble,
    ControllerLoad,
    FaceRepresentationEncode,
    ControllerApply,
    PartEncode,
    MaskFuse,
    OmniRepresentationCondition,
    AdditionInject,
    FuseAnyPartSampling,
    RepresentationAssemble,
    HeadLayout,
    LayoutComplete,
    SemanticMix,
    HeadSwap,
]


class FacePartFusion(ComfyExtension):
    async def get_node_list(self) -> list[type[FaceNode]]:
        register_folders()
        return NODES
