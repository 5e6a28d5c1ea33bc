"""Two people -> the head on the body's neck, both layouts, and which pixels stay."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..detectors.parts import FaceParts
from ..detectors.progress import stages
from ..fusion.regions.layout import ADE20K, PALETTE
from ..fusion.regions.pair import make_layout
from .host.previews import in_node
from .host.progress import host_progress
from .inputs.heads import BACKGROUNDS, by_hand, parsed, people_inputs, placing_inputs
from .inputs.schema import FaceNode, schema
from .inputs.wires import HeadLayoutWire


class HeadLayout(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="HeadLayout",
            has_intermediate_output=True,
            display_name="Head Layout",
            category="face parts/fuse",
            description="Puts one person's head where another's is, neck upon neck, and says which pixels of the two "
            "photographs stay and which are to be made anew. Needs no model.",
            search_aliases=["head swap", "HS-Diffusion", "semantic layout", "neck alignment", "hair swap", "headswap"],
            inputs=[*people_inputs(), *placing_inputs()],
            outputs=[
                HeadLayoutWire.Output("layout", tooltip="For Layout Complete."),
                io.Image.Output("head", tooltip="The head's picture where it comes to lie on the body's."),
                io.Image.Output("coarse", tooltip="Head and body where they stay, grey between them."),
                io.Image.Output(
                    "layout_picture",
                    tooltip="The classes: background black, hair navy, face purple, neck lilac, body olive.",
                ),
                io.Image.Output(
                    "ade20k",
                    tooltip="For segmentation ControlNets, in ADE20K's colours: the person (hair, face, neck and "
                    "clothes alike) before a wall.",
                ),
                io.Mask.Output("head_mask", tooltip="White stays the head's picture."),
                io.Mask.Output("body_mask", tooltip="White stays the body's picture."),
                io.Mask.Output("transition", tooltip="White is in neither: neck, and what the old head hid."),
                io.String.Output("report", tooltip="What does not suit in the two photographs."),
            ],
        )

    @classmethod
    def execute(
        cls, head: FaceParts, body: FaceParts, fit: str, hair: str, hat: str, background: str, offset_x: float,
        offset_y: float, scale: float, angle: float,
    ) -> io.NodeOutput:  # fmt: skip
        first, second, third = stages(host_progress(), 3)
        layout = make_layout(
            parsed(head, first), parsed(body, second), fit=fit, by_hand=by_hand(offset_x, offset_y, scale, angle),
            hair=hair, hat=hat, keep_background=background == BACKGROUNDS[0], progress=third,
        )  # fmt: skip
        heads = torch.stack([pair.head for pair in layout.pairs])
        coarse = torch.stack([pair.coarse() for pair in layout.pairs])
        return io.NodeOutput(
            layout,
            heads,
            coarse,
            layout.drawn(PALETTE),
            layout.drawn(ADE20K),
            *layout.masks(),
            layout.report(),
            ui=in_node(coarse),
        )
