"""Target and sources -> FaceX's inpainting reference and its mask."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..detectors.progress import stages
from ..fusion.regions.assemble import assemble
from ..fusion.regions.parsed import parsed_people
from ..fusion.regions.plan import FILLS, make_plan
from ..fusion.regions.preview import draw_givers
from ..fusion.regions.tasks import SHOWN
from .host.networks import builtin_parser
from .host.previews import in_node
from .host.progress import host_progress
from .inputs.regions import (
    OWN,
    dilate_input,
    mask_input,
    overrides_of,
    people_of,
    source_inputs,
    task_inputs,
    wired_people,
)
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire


class RegionAssemble(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="RegionAssemble",
            has_intermediate_output=True,
            display_name="Region Assemble",
            category="face parts/fuse",
            description="Combines the regions of source and target for an edit: face swap, head swap, reenactment, "
            "attribute edit or inpainting. Gives the picture that a model starts from and the mask of what it makes "
            "anew. Needs no model itself.",
            search_aliases=[
                "FaceX", "face swap", "faceswap", "head swap", "hair swap", "reenact", "inpaint reference", "mask",
            ],
            inputs=[
                FacePartsWire.Input(
                    "target",
                    tooltip="The photograph that is edited, from Face Part Detect. Hair and ears are parsed here "
                    "unless Face Parse or a mask gave them.",
                ),
                *task_inputs(
                    "Who gives what. 'face swap': the face is masked out on both outlines. 'head swap': the source's "
                    "head in grey lies on the target's background. 'attribute edit': only the regions set below. "
                    "'reenact' and 'animate': the whole source picture, all made anew. 'inpaint': the whole picture "
                    "and your own mask."
                ),
                field(
                    io.Combo, "shown", options=[OWN, *SHOWN], default=OWN,
                    tooltip="How the picture shows a region of another person: 'paste' lays it there, 'greyscale' "
                    "lays it there without its colours, 'mask out' only leaves room for it. Face swap masks out, head "
                    "swap shows grey, attribute edit pastes.",
                ),
                field(
                    io.Combo, "fill", options=list(FILLS), default="grey",
                    tooltip="What fills the pixels that are masked out. 'grey' is what inpainting models expect; "
                    "'white' is how the FaceX paper draws it; 'target kept' leaves the old pixels as a start.",
                ),
                dilate_input(),
                *source_inputs(
                    FacePartsWire,
                    "The person who gives, from Face Part Detect. Attribute edit with 'anew' and inpaint work without "
                    "one.",
                ),
                mask_input(),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The assembled picture; encode it as the start for a sampler."),
                io.Mask.Output("mask", tooltip="White is to be made anew; elsewhere the picture is untouched."),
                io.Image.Output("preview", tooltip="The picture with every region tinted in its giver's colour: "
                "source amber, source 2 green, source 3 red, source 4 violet, target blue, made up magenta."),
                io.String.Output("report", tooltip="Who gives which region, and which parts are unknown."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, target: FaceParts, task: str, shown: str, fill: str, dilate: float, source: FaceParts | None = None,
        source_2: FaceParts | None = None, source_3: FaceParts | None = None, source_4: FaceParts | None = None,
        mask: Tensor | None = None, **regions: str,
    ) -> io.NodeOutput:  # fmt: skip
        overrides, shown_as = overrides_of(regions), None if shown == OWN else shown
        plan = make_plan(task, source is not None, overrides, shown_as, fill)
        parsing, assembling = stages(host_progress(), 2)
        people = people_of(target, source, (source_2, source_3, source_4))
        people = parsed_people(plan, people, builtin_parser, progress=parsing)
        canvas = people.get(plan.base, target)
        target, source, others = wired_people(people)
        assembly = assemble(
            task, target, source, overrides, others=others, dilate=dilate, shown=shown_as, fill=fill,
            mask=None if mask is None else mask_per_picture(mask, canvas.pictures), progress=assembling,
        )  # fmt: skip
        preview = draw_givers(assembly)
        return io.NodeOutput(assembly.picture, assembly.mask, preview, assembly.report(), ui=in_node(preview))
