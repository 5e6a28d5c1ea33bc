"""Target and sources -> FaceX's inpainting reference and its mask."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..fusion.regions.assemble import DILATE, assemble
from ..fusion.regions.plan import FILLS, base_of
from ..fusion.regions.preview import draw_givers
from ..fusion.regions.tasks import MORE_SOURCES, REGIONS, SHOWN, SOURCE, TASKS
from .host.progress import host_progress
from .inputs.regions import OWN, further_person, overrides_of, region_choice
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire


class RegionAssemble(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="RegionAssemble",
            display_name="Region Assemble",
            category="face parts/fuse",
            description="Puts the regions of source and target together for an edit: face swap, head swap, "
            "reenactment, attribute edit or inpainting. Gives the picture that a model starts from and the mask of "
            "what it makes anew. Needs no model itself.",
            search_aliases=[
                "FaceX", "face swap", "faceswap", "head swap", "hair swap", "reenact", "inpaint reference", "mask",
            ],
            inputs=[
                FacePartsWire.Input(
                    "target",
                    tooltip="The photograph that is edited, from Face Part Detect (through Face Parse where hair or "
                    "ears play a role).",
                ),
                field(
                    io.Combo, "task", options=list(TASKS), default="face swap",
                    tooltip="Who gives what. 'face swap': the face is masked out on both outlines. 'head swap': the "
                    "source's head in grey lies on the target's background; needs Face Parse on both. 'attribute "
                    "edit': only the regions set below. 'reenact' and 'animate': the whole source picture, all made "
                    "anew. 'inpaint': the whole picture and your own mask.",
                ),
                *(region_choice(region) for region in REGIONS),
                field(
                    io.Combo, "shown", options=[OWN, *SHOWN], default=OWN,
                    tooltip="How the picture shows a region that is not its own: 'paste' lays the other person's "
                    "there, 'greyscale' without its colours, 'mask out' only leaves room for it. Face swap masks out, "
                    "head swap shows grey, attribute edit pastes.",
                ),
                field(
                    io.Combo, "fill", options=list(FILLS), default="grey",
                    tooltip="What stands where pixels are masked out. 'grey' is what inpainting models are used to; "
                    "'white' is how the FaceX paper draws it; 'target kept' leaves the old pixels as a start.",
                ),
                field(
                    io.Float, "dilate", default=DILATE, min=0.0, max=2.0, step=0.01,
                    tooltip="How far the mask reaches beyond the regions, in distances between the outer corners of "
                    "the eyes. Raise it when the old outline shows through; lower it to keep more of the photograph.",
                ),
                FacePartsWire.Input(
                    "source", optional=True,
                    tooltip="The person who gives, from Face Part Detect. Attribute edit with 'anew' and inpaint work "
                    "without one.",
                ),
                *(further_person(name, FacePartsWire, "the regions that are") for name in MORE_SOURCES),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="For inpaint: white is made anew. For every other task: only what is white may change. It "
                    "lies on the target, for reenact, animate and inpaint on the source where one is wired in.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The assembled picture; encode it as the start for a sampler."),
                io.Mask.Output("mask", tooltip="White is to be made anew; elsewhere the picture is untouched."),
                io.Image.Output("preview", tooltip="The picture with every region tinted in its giver's colour: "
                "source amber, source 2 green, source 3 red, source 4 violet, target blue, made up magenta."),
                io.String.Output("report", tooltip="Who gives which region, and what was not known."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, target: FaceParts, task: str, shown: str, fill: str, dilate: float, source: FaceParts | None = None,
        source_2: FaceParts | None = None, source_3: FaceParts | None = None, source_4: FaceParts | None = None,
        mask: Tensor | None = None, **regions: str,
    ) -> io.NodeOutput:  # fmt: skip
        canvas = source if source is not None and base_of(task, True) == SOURCE else target
        assembly = assemble(
            task, target, source, overrides_of(regions), others=(source_2, source_3, source_4), dilate=dilate,
            shown=None if shown == OWN else shown, fill=fill,
            mask=None if mask is None else mask_per_picture(mask, canvas.pictures), progress=host_progress(),
        )  # fmt: skip
        return io.NodeOutput(assembly.picture, assembly.mask, draw_givers(assembly), assembly.report())
