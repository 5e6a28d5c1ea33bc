"""A head layout -> the same with neck, shoulders and background where the old head was."""

from __future__ import annotations

from comfy_api.latest import io

from ..fusion.regions.layout import ADE20K, PALETTE
from ..fusion.regions.pair import HeadLayout, complete_layout
from .host.progress import host_progress
from .inputs.schema import FaceNode, schema
from .inputs.wires import HeadLayoutWire


class LayoutComplete(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="LayoutComplete",
            display_name="Layout Complete",
            category="face parts/fuse",
            description="Fills the transition of a head layout by rule: the neck down to the collar, shoulders where "
            "long hair was removed, background elsewhere.",
            search_aliases=["head swap", "HS-Diffusion", "semantic layout", "layout generator", "inpaint layout"],
            inputs=[HeadLayoutWire.Input("layout", tooltip="From Head Layout.")],
            outputs=[
                HeadLayoutWire.Output("layout", tooltip="The completed layout."),
                io.Image.Output(
                    "layout_picture",
                    tooltip="The classes: background black, hair navy, face purple, neck lilac, body olive.",
                ),
                io.Image.Output("ade20k", tooltip="The same in ADE20K's colours, for segmentation ControlNets."),
            ],
        )

    @classmethod
    def execute(cls, layout: HeadLayout) -> io.NodeOutput:
        full = complete_layout(layout, host_progress())
        return io.NodeOutput(full, full.drawn(PALETTE), full.drawn(ADE20K))
