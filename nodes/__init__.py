"""The nodes, one file for each: schema and wiring. The only folder of the pack that imports the host."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension

from .addition_inject import AdditionInject
from .controller_apply import ControllerApply
from .controller_load import ControllerLoad
from .face_choose import FaceChoose
from .face_compare import FaceCompare
from .face_crop_align import FaceCropAlign
from .face_describe import FaceDescribe
from .face_load import FaceLoad
from .face_parse import FaceParse
from .face_part_detect import FacePartDetect
from .face_part_mask import FacePartMask
from .face_paste_back import FacePasteBack
from .face_person import FacePerson
from .face_representation_encode import FaceRepresentationEncode
from .face_restore import FaceRestore
from .face_save import FaceSave
from .face_score import FaceScore
from .face_swap import FaceSwap
from .face_swap_load import FaceSwapLoad
from .face_track import FaceTrack
from .fuse_any_part_loader import FuseAnyPartLoader
from .fuse_any_part_sampling import FuseAnyPartSampling
from .head_layout import HeadLayout
from .head_layout_diffusion_loader import HeadLayoutDiffusionLoader
from .head_swap import HeadSwap
from .host.folders import register_folders
from .host.gallery import sort_templates
from .identity_encode import IdentityEncode
from .inputs.schema import FaceNode
from .layout_complete import LayoutComplete
from .mark_edited import MarkEdited
from .mask_fuse import MaskFuse
from .masked_fusion import MaskedFusion
from .omni_representation_condition import OmniRepresentationCondition
from .part_composite import PartComposite
from .part_encode import PartEncode
from .part_reference import PartReference
from .person_latents import PersonLatents
from .reference_fusion import ReferenceFusion
from .region_assemble import RegionAssemble
from .representation_assemble import RepresentationAssemble
from .semantic_mix import SemanticMix
from .swap_face_parts import SwapFaceParts
from .uniface_ask import UniFaceAsk
from .uniface_generate import UniFaceGenerate
from .uniface_load import UniFaceLoad

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
    HeadLayoutDiffusionLoader,
    FacePerson,
    ReferenceFusion,
    PersonLatents,
    FaceSwapLoad,
    IdentityEncode,
    FaceSwap,
    FaceRestore,
    FaceTrack,
    FaceScore,
    FaceDescribe,
    FaceCompare,
    FaceChoose,
    SwapFaceParts,
    FaceSave,
    FaceLoad,
    UniFaceLoad,
    UniFaceGenerate,
    UniFaceAsk,
]


class FacePartFusion(ComfyExtension):
    async def get_node_list(self) -> list[type[FaceNode]]:
        register_folders()
        sort_templates()
        return NODES
