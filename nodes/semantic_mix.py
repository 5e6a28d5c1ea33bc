"""Keeps two photographs, each under its mask, while any model samples what lies between them."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import as_masks
from ..injection.sampling.masked_fusion import ORDERS, make_mix
from .host.masked_fusion import add_layer
from .inputs.sampling import percent_input
from .inputs.schema import FaceNode, field, schema


class SemanticMix(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SemanticMix",
            display_name="Semantic Mix",
            category="face parts/sample",
            description="Lets the sampler make only what lies between two pictures, such as a head and a body. In "
            "every step each picture is set under its mask at that step's noise; at the end both come back exactly.",
            search_aliases=["head swap", "HS-Diffusion", "blended latent diffusion", "two sources", "masked sampling"],
            inputs=[
                io.Model.Input("model", tooltip="Any model that makes pictures: SD1.5, SDXL, SD3, Flux, inpainting."),
                io.Latent.Input(
                    "head",
                    tooltip="The first picture, from VAE Encode with the model's own VAE: the head of Head Layout. It "
                    "lies over the other where both masks are white.",
                ),
                io.Mask.Input("head_mask", tooltip="White stays the first picture, grey mixes."),
                io.Latent.Input("body", tooltip="The second picture, encoded likewise and of the same size."),
                io.Mask.Input("body_mask", tooltip="White stays the second picture, grey mixes."),
                field(
                    io.Combo, "order", options=list(ORDERS), default=ORDERS[0],
                    tooltip="'mix first' sets both pictures before every step, as the paper does. 'after the step' "
                    "leaves the first step to the model, as Blended Latent Diffusion does.",
                ),
                percent_input(
                    "start_percent", 0.0,
                    "From this point of the sampling on, the pictures are mixed in. Above 0 the model first lays out "
                    "the whole picture freely; Blended Latent Diffusion takes 0.25.",
                    advanced=True,
                ),
                percent_input(
                    "end_percent", 1.0,
                    "Up to this point of the sampling the pictures are mixed in. Below 1 the model may smooth the "
                    "seams in the last steps.",
                    advanced=True,
                ),
                field(
                    io.Boolean, "keep_sources", default=True, advanced=True,
                    tooltip="When the sampling ends without noise, sets both clean pictures under their masks once "
                    "more, bit for bit.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model that keeps both pictures; wire it into any sampler.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model: Any, head: dict[str, Any], head_mask: Tensor, body: dict[str, Any], body_mask: Tensor, order: str,
        start_percent: float, end_percent: float, keep_sources: bool,
    ) -> io.NodeOutput:  # fmt: skip
        first, second = (as_masks(m, name) for m, name in ((head_mask, "head_mask"), (body_mask, "body_mask")))
        _check(head["samples"], first, body["samples"], second)
        sources = [(head["samples"], first), (body["samples"], second)]
        layers = make_mix(sources, order, start_percent, end_percent, keep_sources, "Semantic Mix")
        return io.NodeOutput(add_layer(model, *layers))


def _check(head: Tensor, head_mask: Tensor, body: Tensor, body_mask: Tensor) -> None:
    """Raises ValueError for sources and masks that do not fit together."""
    if head.shape[-2:] != body.shape[-2:]:
        height, width = body.shape[-2:]
        raise ValueError(
            f"body is a latent of {width} x {height} cells and head one of {head.shape[-1]} x {head.shape[-2]}; encode "
            "pictures of one size, such as those of one Head Layout"
        )
    counts = len(head_mask), len(body_mask)
    if head_mask.shape[1:] != body_mask.shape[1:] or (counts[0] != counts[1] and 1 not in counts):
        raise ValueError(
            f"head_mask has shape {tuple(head_mask.shape)} and body_mask {tuple(body_mask.shape)}; they must have one "
            "size, and equally many masks or one: take both from one Head Layout"
        )
    for name, mask in (("head_mask", head_mask), ("body_mask", body_mask)):
        if not bool(mask.isfinite().all()):
            raise ValueError(f"{name} has values that are not numbers; wire in a mask from 0 (black) to 1 (white)")
    if bool((torch.maximum(head_mask, body_mask) >= 1).all()):
        raise ValueError(
            "head_mask and body_mask together are white everywhere, so nothing would be made anew; leave what lies "
            "between head and body black in both"
        )
