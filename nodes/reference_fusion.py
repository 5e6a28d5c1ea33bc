"""MODEL and people -> MODEL whose attention looks at their photographs in every step."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..injection.face_fusion.layers import LAYERS, chosen_layers
from ..injection.face_fusion.patch import Settings
from ..injection.face_fusion.reference_store import NOISES
from ..injection.sampling.span import Span
from .host.face_fusion import encode_people, load_projections, refer
from .host.fingerprints import Stamp, stamps
from .host.folders import face_fusion_names, face_fusion_path
from .host.progress import host_progress
from .inputs.growing import growing_input, named_references
from .inputs.sampling import percent_input
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FacePersonWire

FREE, TRAINED = "training-free", "trained"
# For messages during sampling.
OWNER = "Reference Fusion"


class ReferenceFusion(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="ReferenceFusion",
            display_name="Reference Fusion",
            category="face parts/control",
            description="New pictures, by prompt, of the people in photographs: in every step the photographs pass the "
            "model itself, and its attention looks at them. Works with any SD1.5, SD2 or SDXL checkpoint.",
            search_aliases=[
                "Face Fusion", "reference only", "reference attention", "identity", "several people", "consistent "
                "character", "face reference",
            ],
            inputs=[
                io.Model.Input("model", tooltip="An SD1.5, SD2 or SDXL checkpoint, with or without LoRAs."),
                io.Vae.Input("vae", tooltip="The checkpoint's VAE, which encodes the photographs."),
                growing_input(
                    FacePersonWire, "persons",
                    "The people, from Face Person, each with a region of their own or everywhere. Several everywhere "
                    "are blended into one face.",
                    socket="One person, from Face Person.", least=1,
                ),
                field(
                    io.DynamicCombo, "mechanism",
                    options=[
                        io.DynamicCombo.Option(FREE, []),
                        io.DynamicCombo.Option(TRAINED, [_weights_input()]),
                    ],
                    tooltip="'training-free' joins the photographs to the model's self-attention and needs no file. "
                    "'trained' joins them to the attention to the prompt, by a file that was trained for it.",
                ),
                field(
                    io.Combo, "noise", options=list(NOISES), default=NOISES[0],
                    tooltip="'as the step' noises the photographs like the picture in each step, with one fixed noise. "
                    "'clean' shows them without noise, once for all steps, which is faster and more literal.",
                ),
                field(
                    io.Combo, "layers", options=list(LAYERS), default=next(iter(LAYERS)),
                    tooltip="The layers that look at the photographs. 'up' alone leaves pose and layout to the prompt.",
                ),
                percent_input("start", 0.0, "Where in the sampling the photographs begin to count; 0 is its beginning. "
                              "Later leaves the layout to the prompt."),
                percent_input("end", 1.0, "Where in the sampling they stop to count; 1 is its end."),
                field(
                    io.Int, "refresh", default=1, min=1, max=100,
                    tooltip="The photographs pass the model in every so many steps. 2 makes sampling faster and "
                    "changes little; between, what is known of them is used again.",
                ),
                field(
                    io.Boolean, "balance", default=True, advanced=True,
                    tooltip="Several photographs of one person count together as much as one. Off, each counts by "
                    "itself, so that a person with more of them is stronger.",
                ),
                field(
                    io.Boolean, "negative_looks", default=False, advanced=True,
                    tooltip="Whether the negative prompt's pass looks at the photographs too. Off is stronger; on, "
                    "the guidance acts on the prompt alone.",
                ),
                io.Conditioning.Input(
                    "prompt", optional=True,
                    tooltip="What the photographs show, such as 'a photograph of a face', from CLIP Text Encode. "
                    "Unplugged, they pass the model without any text.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model that knows the people; wire it into any sampler.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, mechanism: dict[str, Any] | None = None, **_: Any) -> tuple[Stamp, ...]:
        if not mechanism or mechanism.get("mechanism") != TRAINED:
            return ()
        return stamps(lambda: [face_fusion_path(mechanism.get("weights") or "")])

    @classmethod
    def execute(
        cls, model: Any, vae: Any, persons: dict[str, Any], mechanism: dict[str, Any], noise: str, layers: str,
        start: float, end: float, refresh: int, balance: bool, negative_looks: bool,
        prompt: Any = None,
    ) -> io.NodeOutput:  # fmt: skip
        unet = model.get_model_object("diffusion_model")
        settings = Settings(chosen_layers(unet, layers), negative_looks, Span(start, end), OWNER)
        named = named_references(persons)
        if not named:
            raise ValueError("persons is empty; wire in at least one Face Person")
        acting = [person for person in named if person.acts]
        if not acting:
            return io.NodeOutput(model.clone())
        trained = mechanism["mechanism"] == TRAINED
        projections = load_projections(face_fusion_path(mechanism["weights"])) if trained else None
        latents = encode_people(vae, acting, host_progress())
        return io.NodeOutput(refer(
            model, acting, latents, settings, projections=projections, noise=noise, every=refresh, balance=balance,
            prompt=prompt,
        ))  # fmt: skip


def _weights_input() -> Any:
    return field(
        FileCombo,
        "weights",
        options=face_fusion_names(),
        tooltip="A file in models/face_fusion, of the checkpoint's family, that was trained for this.",
    )
