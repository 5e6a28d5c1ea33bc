"""FaceX's edits in one node: source and target -> everything a sampler needs, on any checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..detectors.parts import FaceParts
from ..detectors.progress import stages
from ..fusion.fade import fade_out
from ..fusion.regions.assemble import assemble
from ..fusion.regions.match import match_assembly
from ..fusion.regions.parsed import parsed_people
from ..fusion.regions.plan import FILLS, make_plan
from ..fusion.regions.tasks import SHOWN, TASKS
from .host import omni as omni
from .host.controller import FaceController, Settings
from .host.fingerprints import Stamp
from .host.networks import builtin_parser, networks_on_disk
from .host.progress import host_progress
from .inputs.parts import strength_input
from .inputs.regions import (
    OWN,
    dilate_input,
    giver_input,
    mask_input,
    overrides_of,
    people_of,
    source_inputs,
    task_inputs,
    wired_people,
)
from .inputs.sampling import block_weights_input, percent_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceControllerWire, FacePartsWire

# Tasks in which only a controller can bring the target's pose and expression in.
NEEDS_MOTION = ("reenact", "animate")
AUTOMATIC = "automatic"
# For messages during sampling.
OWNER = "Omni Representation Condition"


class OmniRepresentationCondition(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="OmniRepresentationCondition",
            display_name="Omni Representation Condition",
            category="face parts/control",
            description="FaceX's face swap, head swap, attribute edits and inpainting, on any checkpoint: combines the "
            "regions, keeps the rest of the photograph in every sampling step, and lets an IP-Adapter or a FaceX "
            "controller steer when one is wired in.",
            search_aliases=[
                "FaceX", "face swap", "faceswap", "head swap", "face edit", "reenact", "inpaint face", "ipadapter",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The checkpoint that paints: SD1.5, SDXL, a flow model, any family."),
                io.Vae.Input("vae", tooltip="The VAE of that checkpoint."),
                FacePartsWire.Input(
                    "target",
                    tooltip="The photograph that is edited; hair and ears are parsed here unless Face Parse or a mask "
                    "gave them. Best as a crop at the checkpoint's size: crop_parts of "
                    "Face Crop (Aligned), and Face Paste Back at the end.",
                ),
                *_edit(),
                *_steering(),
                *_people(),
                *_controller(),
            ],
            outputs=_outputs(),
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> tuple[Stamp, ...]:
        return networks_on_disk()

    @classmethod
    def execute(
        cls, model: Any, vae: Any, target: FaceParts, task: str, shown: str, fill: str, dilate: float, feather: int,
        strength: float, start: float, end: float, positive: Any = None, negative: Any = None,
        source: FaceParts | None = None, source_2: FaceParts | None = None, source_3: FaceParts | None = None,
        source_4: FaceParts | None = None, mask: Tensor | None = None, controller: FaceController | None = None,
        clip_vision: Any = None, tone: float = 1.0, identity: str = OWN, motion: str = OWN, block_weights: str = "",
        **regions: str,
    ) -> io.NodeOutput:  # fmt: skip
        _check(task, positive, negative, controller, clip_vision)
        facex = controller is not None and controller.self_sufficient
        as_published = facex and shown == AUTOMATIC
        shown, fill = _picture(shown, fill, task, facex)
        overrides = overrides_of(regions)
        plan = make_plan(task, source is not None, overrides, shown, fill)
        parsing, assembling, toning, steering = stages(host_progress(), 4)
        people = people_of(target, source, (source_2, source_3, source_4))
        people = parsed_people(plan, people, builtin_parser, every_region=facex, progress=parsing)
        target, source, others = wired_people(people)
        base = people.get(plan.base, target)
        limit = None if mask is None else omni.mask_of_base(mask, base, plan.base)
        assembly = assemble(
            task, target, source, overrides, others=others, dilate=dilate, shown=shown, fill=fill, mask=limit,
            progress=assembling,
        )  # fmt: skip
        if shown == "paste" and not as_published:
            assembly = match_assembly(assembly, base, tone, toning)
        soft = fade_out(assembly.mask, feather)
        if limit is not None and TASKS[task].mask != "user":
            soft = torch.minimum(soft, limit)
        picture, original, soft = omni.fit_to_cells(vae, assembly.picture, base.pictures, soft)
        model = omni.hold(model, vae, original, soft, OWNER)
        report = [assembly.report()]
        if controller is not None:
            model, own_positive, own_negative, notes = controller.edit(
                model, vae, clip_vision, assembly, people, Settings(strength, start, end, block_weights, OWNER),
                *(None if giver == OWN else giver for giver in (identity, motion)), steering,
            )  # fmt: skip
            report += notes
            positive = own_positive if positive is None else positive
            negative = own_negative if negative is None else negative
        model, positive, negative = omni.for_inpainting(model, vae, picture, soft, positive, negative)
        latent = {"samples": vae.encode(picture)}
        return io.NodeOutput(model, positive, negative, latent, picture, soft, "\n".join(report))


def _edit() -> list[Any]:
    """The edit, and how its picture is assembled."""
    return [
        *task_inputs(
            "Who gives what, as in Region Assemble. 'reenact' and 'animate' need a FaceX controller."
        ),
        field(
            io.Combo, "shown", options=[AUTOMATIC, OWN, *SHOWN], default=AUTOMATIC,
            tooltip="What the sampler starts from: 'paste' lays the other person's region there, 'greyscale' lays it "
            "there without its colours, 'mask out' only leaves room for it, and a controller must bring the person in. "
            "'automatic' is the task's own with a FaceX controller, as in the paper, and 'paste' without.",
        ),
        field(
            io.Combo, "fill", options=[AUTOMATIC, *FILLS], default=AUTOMATIC,
            tooltip="What fills the pixels that are masked out: 'target kept' leaves the old ones as a start for a "
            "denoise below 1; 'grey' is what inpainting models expect at a denoise of 1. 'automatic' is 'grey' with a "
            "FaceX controller and 'target kept' without.",
        ),
        dilate_input(),
        field(
            io.Int, "feather", default=16, min=0, max=512,
            tooltip="Pixels beyond that over which the mask fades out. Raise it when a border shows, lower it to keep "
            "more of the photograph.",
        ),
    ]  # fmt: skip


def _steering() -> list[Any]:
    """How strongly and when a controller steers."""
    return [
        strength_input(
            "strength", "How strongly the controller steers; without one it does nothing.", default=1.0, most=3.0
        ),
        percent_input("start", 0.0, "Where in the sampling the controller begins to steer.", advanced=True),
        percent_input(
            "end", 1.0, "Where in the sampling it stops; earlier leaves fine detail to the checkpoint.", advanced=True
        ),
    ]


def _people() -> list[Any]:
    """The prompt, the people who give regions, and the mask."""
    return [
        io.Conditioning.Input(
            "positive", optional=True,
            tooltip="The prompt, for example 'photograph of a face'. Unplugged, a FaceX controller's own "
            "tokens take its place, as in the paper; without such a controller it is needed.",
        ),
        io.Conditioning.Input(
            "negative", optional=True, tooltip="The negative prompt; needed where the prompt is."
        ),
        *source_inputs(FacePartsWire, "The person who gives. Attribute edit with 'anew' and inpaint work without one."),
        mask_input(),
    ]  # fmt: skip


def _controller() -> list[Any]:
    """The controller with its encoder, and the inputs that were added to the node later."""
    return [
        FaceControllerWire.Input(
            "controller", optional=True,
            tooltip="An IP-Adapter or FaceX controller from Face Controller Load: each region is then also "
            "steered by the face that gives it. Needs clip_vision.",
        ),
        io.ClipVision.Input(
            "clip_vision", optional=True,
            tooltip="The image encoder of the controller: CLIP ViT-H/14 for an IP-Adapter, ViT-L/14 for FaceX.",
        ),
        field(
            io.Float, "tone", default=1.0, min=0.0, max=1.0, step=0.05, optional=True,
            tooltip="How far a pasted face takes over the light and skin colour of the target: 1 matches it to "
            "the neck below, 0 keeps its own. Heads with their hair and single features always keep theirs, "
            "and so does everything where 'shown' is 'automatic' with a FaceX controller.",
        ),
        giver_input(
            "identity", "Who gives the identity tokens of a FaceX controller; the task's own is the source, or "
            "who gives the skin. An IP-Adapter has none.",
        ),
        giver_input(
            "motion", "Who gives pose, expression and gaze to a FaceX controller; the task's own is the "
            "target. An IP-Adapter has none.",
        ),
        block_weights_input(optional=True),
    ]  # fmt: skip


def _outputs() -> list[Any]:
    return [
        io.Model.Output(display_name="model", tooltip="Keeps the photograph outside the mask, and is steered."),
        io.Conditioning.Output(display_name="positive", tooltip="For the sampler's positive."),
        io.Conditioning.Output(display_name="negative", tooltip="For the sampler's negative."),
        io.Latent.Output(
            display_name="latent",
            tooltip="The assembled picture, encoded. A denoise of 0.5 to 0.7 keeps the pasted person and mends "
            "the seams; 1 paints the region anew.",
        ),
        io.Image.Output(display_name="image", tooltip="The assembled picture: FaceX's inpainting reference."),
        io.Mask.Output(display_name="mask", tooltip="White is made anew, grey is mixed, black stays."),
        io.String.Output(display_name="report", tooltip="Who gives which region, and which parts are unknown."),
    ]  # fmt: skip


def _picture(shown: str, fill: str, task: str, facex: bool) -> tuple[str, str]:
    """What 'automatic' and the task's own stand for: with FaceX the paper's picture, else a start for a sampler."""
    if shown == OWN or (shown == AUTOMATIC and facex):
        shown = TASKS[task].shown
    shown = "paste" if shown == AUTOMATIC else shown
    return shown, ("grey" if facex else "target kept") if fill == AUTOMATIC else fill


def _check(task: str, positive: Any, negative: Any, controller: FaceController | None, clip_vision: Any) -> None:
    """Raises ValueError when something is not wired in that the rest needs."""
    facex = controller is not None and controller.self_sufficient
    if controller is not None and clip_vision is None:
        raise ValueError("controller is wired in and clip_vision is not; wire in the controller's CLIP vision model")
    if task in NEEDS_MOTION and not facex:
        raise ValueError(
            f"{task} needs a FaceX controller, which carries the target's pose and expression over, and none is wired "
            "in; without one 'face swap', 'head swap', 'attribute edit' and 'inpaint' work, or take the picture of "
            "Region Assemble with a ControlNet"
        )
    if not facex and (positive is None or negative is None):
        lacking = "positive" if positive is None else "negative"
        raise ValueError(f"{lacking} is not wired in; wire in a CLIP Text Encode of the checkpoint (it may be empty)")
