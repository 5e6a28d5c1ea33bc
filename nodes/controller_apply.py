"""MODEL + FACE_CONTROLLER + references -> MODEL in which every part steers its own region of the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import as_masks, mask_per_picture
from ..detectors.parser_regions import parsed_where_missing
from ..detectors.parts import FaceParts
from ..detectors.progress import stages
from ..injection.ip_adapter.givers import OVERLAPS
from ..injection.ip_adapter.part_tokens import PartTokens
from ..injection.ip_adapter.region_preview import draw_regions
from .host.controller import Area, FaceController, Representation, Settings
from .host.networks import builtin_parser
from .host.progress import host_progress
from .inputs.growing import growing_input
from .inputs.parts import strength_input
from .inputs.sampling import block_weights_input, percent_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceControllerWire, FacePartsWire, FaceRepresentationWire

# For messages during sampling.
OWNER = "Face Controller Apply"


class ControllerApply(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="ControllerApply",
            display_name="Face Controller Apply",
            category="face parts/control",
            description="Lets faces and face parts of any number of people steer a checkpoint, each only inside its "
            "own region of the target.",
            search_aliases=[
                "ipadapter", "ip-adapter", "ipadapter regional", "apply ipadapter", "face reference", "mask",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The checkpoint that is steered, of the controller's family."),
                FaceControllerWire.Input("controller", tooltip="The weights from Face Controller Load."),
                strength_input(
                    "strength",
                    "A factor on all strengths of the references. Lower it when the prompt has too little effect; 0 "
                    "leaves the model as it is.",
                    default=1.0, most=3.0,
                ),
                percent_input(
                    "start", 0.0,
                    "Where in the sampling the references begin to steer; 0 is its beginning. Later leaves pose and "
                    "layout to the prompt and the starting picture.",
                ),
                percent_input(
                    "end", 1.0,
                    "Where in the sampling they stop; 1 is its end. Earlier leaves fine detail to the checkpoint.",
                ),
                field(
                    io.Float, "grow", default=0.05, min=-0.5, max=2.0, step=0.01,
                    tooltip="How far each region reaches beyond the part, as a share of the target face's longer "
                    "side. Raise it when the reference shows too little, or to take in hair and neck.",
                ),
                field(
                    io.Float, "feather", default=0.1, min=0.0, max=1.0, step=0.01,
                    tooltip="Width over which a region fades out, as a share of the face's longer side. Raise it when "
                    "regions do not blend into each other.",
                ),
                block_weights_input(),
                FacePartsWire.Input(
                    "target", optional=True,
                    tooltip="The face that is steered: each part of a reference acts where the target has that part, "
                    "FaceX on the face. Unplugged, every reference acts on the whole picture.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="The references steer only where it is white. All black leaves the model as it is.",
                ),
                growing_input(
                    FaceRepresentationWire, "representations",
                    "The people who steer, from Face Representation Encode: at least one, for FaceX exactly one. Where "
                    "two give the same region, both add to it.",
                    socket="One person, from Face Representation Encode.",
                ),
                field(
                    io.Combo, "overlap", options=list(OVERLAPS), default="add", optional=True, advanced=True,
                    tooltip="Where regions of an IP-Adapter overlap: 'add' lets all of them steer there; 'upper one' "
                    "cuts the region above out of the one below, such as the eyes out of the skin, even where nobody "
                    "gives it, as Omni Representation Condition does. Needs target, and one giver of each part.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="The steered model, for any sampler."),
                io.Image.Output("regions", tooltip="The target in grey with every region in a colour of its own."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model: Any, controller: FaceController, strength: float, start: float, end: float, grow: float,
        feather: float, block_weights: str, target: FaceParts | None = None, mask: Tensor | None = None,
        representations: dict | None = None, overlap: str = "add",
    ) -> io.NodeOutput:  # fmt: skip
        people = [r for r in (representations or {}).values() if r is not None]
        parsing, steering = stages(host_progress(), 2)
        if target is not None:
            target = parsed_where_missing(target, _looked_up(people, overlap), builtin_parser, progress=parsing)
        masks = as_masks(mask) if target is None or mask is None else mask_per_picture(mask, target.pictures)
        area = Area(target, masks, grow, feather, overlap)
        steered, regions = controller.steer(
            model, people, area, Settings(strength, start, end, block_weights, OWNER), steering
        )
        return io.NodeOutput(steered, draw_regions(regions, target))


def _looked_up(people: Sequence[Representation], overlap: str) -> set[str]:
    """The parts that must be known on the target: those that steer, and with 'upper one' those that lie above all."""
    steered = {part for person in people if isinstance(person, PartTokens) for part in person.parts}
    return steered | {"ears", "hair"} if steered and overlap == "upper one" else steered
