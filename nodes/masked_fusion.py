"""Keeps the region outside a mask at the target while any model samples."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..injection.sampling.masked_fusion import make_layer
from .host.masked_fusion import add_layer
from .host_mask import as_masks
from .inputs.sampling import percent_input
from .inputs.schema import FaceNode, field, schema


class MaskedFusion(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaskedFusion",
            display_name="Masked Fusion",
            category="face parts/sample",
            description="Lets the sampler change only what is white in the mask. In every step the rest is set to the "
            "target at that step's noise, so that the new part blends in; at the end it is the target exactly.",
            search_aliases=[
                "inpaint", "mask", "masked sampling", "blended diffusion", "keep background", "FaceX", "face swap",
                "faceswap",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any model that makes pictures or videos: SD1.5, SDXL, SD3, Flux ..."),
                io.Latent.Input(
                    "target",
                    tooltip="The picture to keep outside the mask, from VAE Encode with the model's own VAE, of the "
                    "size that is sampled. One for all sampled pictures, or one for each.",
                ),
                io.Mask.Input(
                    "mask",
                    tooltip="White is made anew, black stays the target, grey mixes both. Feather it in Face Part "
                    "Mask for an edge that does not show. One for all pictures, or one for each.",
                ),
                percent_input(
                    "start_percent", 0.0,
                    "From this point of the sampling on, the region outside the mask is kept. Above 0 the model first "
                    "lays out the whole picture freely.",
                    advanced=True,
                ),
                percent_input(
                    "end_percent", 1.0,
                    "Up to this point of the sampling the region outside the mask is kept. Below 1 the model may "
                    "smooth the seam in the last steps; try 0.9.",
                    advanced=True,
                ),
                field(
                    io.Boolean, "keep_target", default=True, advanced=True,
                    tooltip="When the sampling ends without noise, sets the clean target outside the mask, bit for "
                    "bit. Switch it off together with an end_percent below 1 to keep what the model smoothed outside.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model that keeps the target; wire it into any sampler.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model: Any, target: dict[str, Any], mask: Tensor, start_percent: float, end_percent: float,
        keep_target: bool,
    ) -> io.NodeOutput:  # fmt: skip
        layer = make_layer(target["samples"], as_masks(mask), start_percent, end_percent, keep_target, "Masked Fusion")
        return io.NodeOutput(add_layer(model, layer))
