"""FACE_REPRESENTATIONs of several people -> one for a FaceX controller: who gives which region, identity, motion."""

from __future__ import annotations

from comfy_api.latest import io

from ..fusion.regions.plan import base_of, make_plan
from ..fusion.regions.tasks import MORE_SOURCES, REGIONS, TARGET, TASKS
from ..injection.facex.assemble import identity_giver
from ..injection.facex.representation import facex_only
from .host.controller import FaceController, Representation
from .host.facex import assemble_facex, facex_controller, facex_prompt
from .inputs.regions import OWN, further_person, giver_choice, overrides_of, people_of, region_choice
from .inputs.schema import field, schema
from .inputs.wires import FaceControllerWire, FaceRepresentationWire


class RepresentationAssemble(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="RepresentationAssemble",
            display_name="Face Representation Assemble",
            category="face parts/control",
            description="Puts what a FaceX controller knows of several people together for an edit: each region, the "
            "identity, and pose, expression and gaze from whom the task says. What Omni Representation Condition does "
            "inside, as a step of its own.",
            search_aliases=["FaceX", "face swap", "faceswap", "head swap", "reenact", "mix faces"],
            inputs=[
                FaceControllerWire.Input("controller", tooltip="The FaceX controller that the people are encoded for."),
                FaceRepresentationWire.Input(
                    "target",
                    tooltip="The person who is edited, from Face Representation Encode, with the picture of Region "
                    "Assemble wired into its inpaint (for reenact, animate and inpaint into that of the source).",
                ),
                field(
                    io.Combo, "task", options=list(TASKS), default="face swap",
                    tooltip="Who gives what, as in Region Assemble; choose the same there.",
                ),
                *(region_choice(region) for region in REGIONS),
                giver_choice(
                    "identity", "Who gives the identity tokens; the task's own is the source, or who gives the skin."
                ),
                giver_choice("motion", "Who gives pose, expression and gaze; the task's own is the target."),
                FaceRepresentationWire.Input(
                    "source", optional=True, tooltip="The person who gives, from Face Representation Encode."
                ),
                *(further_person(name, FaceRepresentationWire, "what is") for name in MORE_SOURCES),
            ],
            outputs=[
                FaceRepresentationWire.Output(
                    "representation", tooltip="Wire it into representations of Face Controller Apply."
                ),
                io.Conditioning.Output("positive", tooltip="The controller's own tokens, in place of a prompt."),
                io.Conditioning.Output("negative", tooltip="The same for nobody, in place of a negative prompt."),
                io.String.Output("report", tooltip="Given regions of which no pixel is seen."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, controller: FaceController, target: Representation, task: str, identity: str = OWN, motion: str = OWN,
        source: Representation | None = None, source_2: Representation | None = None,
        source_3: Representation | None = None, source_4: Representation | None = None, **regions: str,
    ) -> io.NodeOutput:  # fmt: skip
        facex, base = facex_controller(controller), base_of(task, source is not None)
        given = make_plan(task, source is not None, overrides_of(regions), None, "grey").regions_from
        identity = identity_giver(given) if identity == OWN else identity
        motion = TARGET if motion == OWN else motion
        wired = people_of(target, source, (source_2, source_3, source_4))
        if base not in wired:
            raise ValueError(f"{task} needs the picture of the {base}, which is not wired in")
        needed = {base, identity, motion, *given.values()}
        people = {giver: facex_only(person, giver) for giver, person in wired.items() if giver in needed}
        made = assemble_facex(facex, people, given, people[base].inpaint, identity=identity, motion=motion)
        return io.NodeOutput(made, *facex_prompt(facex, made), "\n".join(made.notes(given)))
