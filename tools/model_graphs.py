"""The templates that need model files, by name."""

from __future__ import annotations

from collections.abc import Mapping

from fuse_graphs import FUSE_PRACTICAL, FUSE_RELEASED
from graphs import Graph
from steered_graphs import ATTRIBUTE_EDIT, BY_IP_ADAPTER, FACE_SWAP, REFINE_FLOW, REFINE_SDXL

MODEL_TEMPLATES: Mapping[str, Graph] = {
    "fuse_any_part_as_published": FUSE_RELEASED,
    "fuse_any_part_with_prompt_and_lora": FUSE_PRACTICAL,
    "composite_refined_by_sdxl": REFINE_SDXL,
    "composite_refined_by_a_flow_model": REFINE_FLOW,
    "facex_face_swap": FACE_SWAP,
    "facex_attribute_edit": ATTRIBUTE_EDIT,
    "parts_of_several_people_by_ip_adapter": BY_IP_ADAPTER,
}
