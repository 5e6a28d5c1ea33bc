"""A head layout -> the same with neck, shoulders and background where the old head was."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..fusion.regions.layout import ADE20K, PALETTE
from ..fusion.regions.pair import HeadLayout, complete_layout
from .host.layout_diffusion import layout_conditioning
from .host.networks import layout_generator
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import HeadLayoutWire

RULE, GENERATOR = WAYS = ("rule", "generator")


class LayoutComplete(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="LayoutComplete",
            display_name="Layout Complete",
            category="face parts/fuse",
            description="Fills the transition of a head layout: the neck down to the collar, shoulders where long hair "
            "was removed, background elsewhere.",
            search_aliases=["head swap", "HS-Diffusion", "semantic layout", "layout generator", "inpaint layout"],
            inputs=[
                HeadLayoutWire.Input("layout", tooltip="From Head Layout."),
                field(
                    io.Combo, "by", options=list(WAYS), default=GENERATOR,
                    tooltip="'generator' says where neck, shoulders and background are with a small network that comes "
                    "with the pack, as the paper does. 'rule' keeps the body's own neck, continues shoulders in "
                    "straight lines and mirrors a covered one.",
                ),
            ],
            outputs=[
                HeadLayoutWire.Output("layout", tooltip="The completed layout."),
                io.Image.Output(
                    "layout_picture",
                    tooltip="The classes: background black, hair navy, face purple, neck lilac, body olive.",
                ),
                io.Image.Output(
                    "ade20k",
                    tooltip="For segmentation ControlNets, in ADE20K's colours: the person (hair, face, neck and "
                    "clothes alike) before a wall.",
                ),
                io.Conditioning.Output(
                    "conditioning",
                    tooltip="Positive and negative of the sampler for a model of Head Layout Diffusion Loader.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, layout: HeadLayout, by: str = GENERATOR) -> io.NodeOutput:
        if by not in WAYS:
            raise ValueError(f"by is '{by}'; needed is {' or '.join(WAYS)}: set it anew")
        full = complete_layout(layout, host_progress(), layout_generator() if by == GENERATOR else None)
        areas = torch.stack([pair.areas for pair in full.pairs])
        return io.NodeOutput(full, full.drawn(PALETTE), full.drawn(ADE20K), layout_conditioning(areas))
