"""A trained head layout diffusion model -> MODEL and VAE."""

from __future__ import annotations

from comfy_api.latest import io

from ..injection.files.weight_file import read_metadata, read_weights
from ..injection.hs_diffusion.file import checked_weights, read_config
from .host.fingerprints import Stamp, stamps
from .host.folders import head_layout_diffusion_names, head_layout_diffusion_path
from .host.layout_diffusion import as_model, as_vae
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo

_ADVICE = "take a file that python -m face_part_fusion.training.ldm wrote"


class HeadLayoutDiffusionLoader(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="HeadLayoutDiffusionLoader",
            display_name="Head Layout Diffusion Loader",
            category="face parts/sample",
            description="Loads a model of the kind that HS-Diffusion describes: it makes what a head layout says. The "
            "paper's own weights were never published; the pack's training program makes such files.",
            search_aliases=["HS-Diffusion", "head swap", "semantic layout", "layout to image", "latent diffusion"],
            inputs=[
                field(
                    FileCombo, "weights", options=head_layout_diffusion_names(),
                    tooltip="The file in models/head_layout_diffusion. Every tensor is checked.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    "model",
                    tooltip="For Semantic Mix and the sampler, whose positive and negative are conditioning of Layout "
                    "Complete; cfg 1.",
                ),
                io.Vae.Output("vae", tooltip="The model's own codec, four pixels to a cell."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, weights: str | None) -> bool | str:
        try:
            return weights is None or bool(head_layout_diffusion_path(weights))
        except ValueError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, weights: str | None) -> tuple[Stamp, ...]:
        return stamps(lambda: [head_layout_diffusion_path(weights or "")])

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        path = head_layout_diffusion_path(weights)
        config = read_config(read_metadata(path), path)
        unet, codec = checked_weights(read_weights(path, _ADVICE), config, path)
        return io.NodeOutput(as_model(config, unet), as_vae(config, codec))
