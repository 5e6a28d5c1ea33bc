"""FACE_REPRESENTATIONs of several people -> one for a FaceX controller, which knows who gives what."""

from __future__ import annotations

from comfy_api.latest import io

from ..fusion.regions.plan import base_of, make_plan
from ..fusion.regions.tasks import TARGET
from ..injection.facex.assemble import identity_giver
from ..injection.facex.representation import facex_only
from .host.controller import FaceController, Representation
from .host.facex import assemble_facex, facex_controller, facex_prompt
from .inputs.regions import OWN, giver_input, overrides_of, people_of, source_inputs, task_inputs
from .inputs.schema import FaceNode, schema
from .inputs.wires import FaceControllerWire, FaceRepresentationWire


class RepresentationAssemble(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="RepresentationAssemble",
            display_name="Face Representation Assemble",
            category="face parts/control",
            description="Combines the FaceX representations of several people for an edit: the task says who gives "
            "each region, the identity, and pose, expression and gaze. Omni Representation Condition does this inside.",
            search_aliases=["FaceX", "face swap", "faceswap", "head swap", "reenact", "mix faces"],
            inputs=[
                FaceControllerWire.Input("controller", tooltip="The FaceX controller that the people are encoded for."),
                FaceRepresentationWire.Input(
                    "target",
                    tooltip="The person who is edited, from Face Representation Encode. The image of Region Assemble "
                    "belongs into its inpaint (for reenact, animate and inpaint into that of the source).",
                ),
                *task_inputs("Who gives what, as in Region Assemble; choose the same there."),
                giver_input(
                    "identity", "Who gives the identity tokens; the task's own is the source, or who gives the skin."
                ),
                giver_input("motion", "Who gives pose, expression and gaze; the task's own is the target."),
                *source_inputs(
                    FaceRepresentationWire, "The person who gives, from Face Representation Encode.", what="what is"
                ),
            ],
            outputs=[
                FaceRepresentationWire.Output(
                    "representation", tooltip="Wire it into representations of Face Controller Apply."
                ),
                io.Conditioning.Output("positive", tooltip="The controller's own tokens, in place of a prompt."),
                io.Conditioning.Output("negative", tooltip="The same for nobody, in place of a negative prompt."),
                io.String.Output("report", tooltip="Regions that somebody gives but of which no pixel can be seen."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, controller: FaceController, target: Representation, task: str, identity: str = OWN, motion: str = OWN,
        source: Representation | None = None, source_2: Representation | None = None,
        source_3: Representation | None = None, source_4: Representation | None = None, **regions: str,
    ) -> io.NodeOutput:  # fmt: skip
        facex, base = facex_controller(controller), base_of(task, source is not None)
        regions_from = make_plan(task, source is not None, overrides_of(regions), None, "grey").regions_from
        identity = identity_giver(regions_from) if identity == OWN else identity
        motion = TARGET if motion == OWN else motion
        wired = people_of(target, source, (source_2, source_3, source_4))
        if base not in wired:
            raise ValueError(f"{task} needs the picture of the {base}, which is not wired in")
        needed = {base, identity, motion, *regions_from.values()}
        people = {giver: facex_only(person, giver) for giver, person in wired.items() if giver in needed}
        assembled = assemble_facex(facex, people, regions_from, people[base].inpaint, identity=identity, motion=motion)
        return io.NodeOutput(assembled, *facex_prompt(facex, assembled), "\n".join(assembled.notes(regions_from)))
