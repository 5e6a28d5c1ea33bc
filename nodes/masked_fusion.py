"""Holds the region outside a mask at the target while any model samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.patcher_extension
from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import as_masks
from ..injection.sampling.masked_fusion import FusionLayer, HeldRegions, make_layer
from .inputs.schema import field, schema

KEY = "face_part_fusion.masked_fusion"
_KINDS = comfy.patcher_extension.WrappersMP


class MaskedFusion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaskedFusion",
            display_name="Masked Fusion",
            category="face parts/sample",
            description="Lets the sampler change only what is white in the mask. In every step the rest is the target "
            "at that step's noise, so that the new part grows into it; at the end it is the target exactly.",
            search_aliases=[
                "inpaint", "mask", "masked sampling", "blended diffusion", "keep background", "FaceX", "face swap",
                "faceswap",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any model that makes pictures or videos: SD1.5, SDXL, SD3, Flux ..."),
                io.Latent.Input(
                    "target",
                    tooltip="The picture to keep outside the mask, from VAE Encode with the model's own VAE and of the "
                    "size that is sampled. One for all sampled pictures, or one for each.",
                ),
                io.Mask.Input(
                    "mask",
                    tooltip="White is made anew, black stays the target, grey mixes both. Feather it in Face Part "
                    "Mask for an edge that does not show. One for all pictures, or one for each.",
                ),
                field(
                    io.Float, "start_percent", default=0.0, min=0.0, max=1.0, step=0.01, advanced=True,
                    tooltip="From here on the region outside the mask is held. Above 0 the model is free to lay out "
                    "the whole picture first.",
                ),
                field(
                    io.Float, "end_percent", default=1.0, min=0.0, max=1.0, step=0.01, advanced=True,
                    tooltip="Up to here the region outside the mask is held. Below 1 the model may smooth the seam in "
                    "the last steps; 0.9 is a good try.",
                ),
                field(
                    io.Boolean, "keep_target", default=True, advanced=True,
                    tooltip="When the sampling ends without noise, sets the clean target outside the mask, bit for "
                    "bit. Switch it off together with an end_percent below 1 to keep what the model smoothed outside.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model with the region held; wire it into any sampler.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model: Any, target: dict[str, Any], mask: Tensor, start_percent: float, end_percent: float,
        keep_target: bool,
    ) -> io.NodeOutput:  # fmt: skip
        layer = make_layer(target["samples"], as_masks(mask), start_percent, end_percent, keep_target)
        return io.NodeOutput(add_layer(model, layer))


def add_layer(model: Any, layer: FusionLayer) -> Any:
    """A clone of the model with this layer over those that it has already."""
    clone = model.clone()
    before = [la for w in clone.get_wrappers(_KINDS.OUTER_SAMPLE, KEY) for la in w.layers]
    clone.remove_wrappers_with_key(_KINDS.OUTER_SAMPLE, KEY)
    clone.add_wrapper_with_key(_KINDS.OUTER_SAMPLE, KEY, HeldRegions((*before, layer), _attach))
    return clone


def _attach(guider: Any, wrapper: Callable[..., Tensor]) -> None:
    # The guider's model_options are a copy that the host makes for one sampling and drops after it.
    comfy.patcher_extension.add_wrapper_with_key(
        _KINDS.PREDICT_NOISE, KEY, wrapper, guider.model_options, is_model_options=True
    )
