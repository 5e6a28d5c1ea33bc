"""PART_FEATURES of a target and of references -> FUSED_FEATURES."""

from __future__ import annotations

from comfy_api.latest import io

from ..detectors.progress import stages
from ..fusion.features.fuse import fuse_features
from ..fusion.features.origin import draw_origin
from ..fusion.features.records import PartFeatures
from ..fusion.features.soft_cells import RESAMPLINGS
from .host.progress import host_progress
from .inputs.growing import growing_input, named_references
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FusedFeaturesWire, PartFeaturesWire


class MaskFuse(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaskFuse",
            display_name="Mask Fuse",
            category="face parts/fuse",
            description="Puts the features of parts from several people into the target's features: eyes from one, "
            "nose from another, mouth from a third. Addition Inject adds the result to a model.",
            search_aliases=["FuseAnyPart", "face swap", "faceswap", "face fusion", "feature fusion", "combine faces"],
            inputs=[
                PartFeaturesWire.Input("target", tooltip="The face that is changed: a Part Encode of role 'target'."),
                growing_input(
                    PartFeaturesWire, "references",
                    "The people who give parts, any number. In 'practical' those who give the same part are averaged "
                    "by strength; in 'released' each part comes from one of them.",
                    socket="One more person, a Part Encode of role 'reference'.", least=1,
                ),
                field(
                    io.Combo, "resample", options=list(RESAMPLINGS), default=RESAMPLINGS[0],
                    tooltip="'practical' only: how a part is laid over the target's. 'similarity' moves, scales and "
                    "turns it so that the landmarks meet; 'box' stretches it over the target's box, which also changes "
                    "its proportions.",
                ),
                field(
                    io.Float, "feather", default=0.25, min=0.0, max=4.0, step=0.05,
                    tooltip="'practical' only: how many cells inside its edge a part fades into the target. Raise it "
                    "against a visible border, lower it to keep more of the part.",
                ),
            ],
            outputs=[
                FusedFeaturesWire.Output("features", tooltip="Wire it into Addition Inject."),
                io.Image.Output(
                    "origin", tooltip="The reference that gave each cell, over the dimmed target: 1 is reference0."
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, target: PartFeatures, resample: str, feather: float, references: dict | None = None
    ) -> io.NodeOutput:
        fusing, drawing = stages(host_progress(), 2)
        fused = fuse_features(target, named_references(references), resample=resample, feather=feather, progress=fusing)
        return io.NodeOutput(fused, draw_origin(fused, drawing))
