"""MODEL + FUSE_ADAPTER + FUSED_FEATURES -> a model that adds them, and the conditioning and latent it needs."""

from __future__ import annotations

from typing import Any

import node_helpers
import torch
from comfy_api.latest import io
from torch import Tensor

from ..detectors.parts import GROUPS
from ..fusion.features.records import FusedFeatures
from ..injection.fuse_any_part.adapters import CROSS_ATTENTION
from ..injection.fuse_any_part.addition import Addition
from ..injection.fuse_any_part.cross_attention import PracticalCrossAttention, ReleasedCrossAttention
from ..injection.fuse_any_part.latents import make_start
from ..injection.fuse_any_part.residuals import residuals
from ..injection.fuse_any_part.resnet import PracticalResnet, ReleasedResnet
from ..injection.sampling.span import Span
from ..injection.unet.block_weights import read_block_weights
from ..injection.unet.blocks import BLOCKS
from .host.addition import CONTEXT, check_fits, check_text, patched
from .host.patcher import FuseAdapter
from .inputs.parts import FURTHER, MAIN_PARTS, ONE_SIDED, in_words, strength_input
from .inputs.sampling import block_weights_input, percent_input
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FuseAdapterWire, FusedFeaturesWire

TEXT_TOKENS = 77


class AdditionInject(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="AdditionInject",
            display_name="Addition Inject",
            category="face parts/fuse",
            description="Adds the fused features to the model in every sampling step, and gives everything that a "
            "KSampler needs. Everything that does not depend on the noise is computed once.",
            search_aliases=["FuseAnyPart", "inject face parts", "face swap", "faceswap", "apply features"],
            inputs=[
                io.Model.Input("model", tooltip="The model of Fuse Any Part Loader, with LoRAs or not."),
                FuseAdapterWire.Input("adapter", tooltip="The adapter of Fuse Any Part Loader."),
                FusedFeaturesWire.Input(
                    "fused",
                    tooltip="The fused face of Mask Fuse. Its mode decides: 'released' repeats the published "
                    "computation, in which text has no effect and a node that replaces text attention (such as "
                    "IPAdapter) is ignored; 'practical' adds to text attention, so prompt, LoRA and IPAdapter count.",
                ),
                io.Vae.Input("vae", tooltip="The VAE of any SD1.5 checkpoint; it encodes the target."),
                strength_input(
                    "strength",
                    "How strongly all features are added: 1 as trained, less for a weaker likeness, more to force it. "
                    "At 0, 'practical' gives the model as it was; 'released' still has no text.",
                    default=1.0, most=3.0,
                ),
                *(_factor_input(part, part in ("brows", "skin")) for part in MAIN_PARTS),
                percent_input(
                    "start_percent", 0.0,
                    "Where in the sampling the features begin to act; raise it to let the prompt lay out the picture "
                    "first.",
                    advanced=True,
                ),
                percent_input(
                    "end_percent", 1.0,
                    "Where in the sampling the features stop; lower it to leave fine detail to the model.",
                    advanced=True,
                ),
                block_weights_input(),
                field(
                    io.Int, "seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                    tooltip="Seed of the noise in the masked region of the picture that the model sees beside its "
                    "latent; change it for another variant.",
                ),
                io.Conditioning.Input(
                    "positive", optional=True,
                    tooltip="The prompt. Leave it open for none; 'released' ignores it.",
                ),
                io.Conditioning.Input(
                    "negative", optional=True,
                    tooltip="The negative prompt. Leave it open for none; 'released' ignores it.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Over the target's picture: features are added only where it is white.",
                ),
                *(_factor_input(part, True, optional=True) for part in (*ONE_SIDED, *FURTHER)),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with the features; wire it into a sampler."),
                io.Conditioning.Output(display_name="positive", tooltip="The prompt with the masked target."),
                io.Conditioning.Output(display_name="negative", tooltip="The negative prompt with the masked target."),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="Where sampling starts: empty in released mode; in practical mode the target with its "
                    "mask, so that the sampler leaves the rest as it is.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model: Any, adapter: FuseAdapter, fused: FusedFeatures, vae: Any, strength: float, start_percent: float,
        end_percent: float, block_weights: str, seed: int, positive: Any = None, negative: Any = None,
        mask: Tensor | None = None, **parts: float,
    ) -> io.NodeOutput:  # fmt: skip
        check_fits(model, adapter, fused)
        span = Span(start_percent, end_percent, ("start_percent", "end_percent"))
        if fused.mode != "released" or not span.whole:
            check_text("positive", positive)
            check_text("negative", negative)
        weights = read_block_weights(block_weights, [block.host for block in BLOCKS])
        added = residuals(fused, strength, _factors(fused, parts), weights, mask)
        masked, latent = make_start(fused.target, fused.mode, lambda pictures: vae.encode(pictures[..., :3]), seed)
        addition = _addition_class(adapter, fused)(adapter.module, added, masked, span, "Addition Inject")
        extra = {"noise_concat": masked.host_order()}
        positive, negative = (
            node_helpers.conditioning_set_values(prompt or _no_text(), extra) for prompt in (positive, negative)
        )
        return io.NodeOutput(patched(model, adapter, addition), positive, negative, latent)


def _factor_input(part: str, advanced: bool, **keywords: bool) -> Any:
    where, when = f"the {in_words(part)}", ""
    if part in ONE_SIDED:
        where, when = in_words(part), ", where Part Encode gave that side by itself"
    return strength_input(
        part, f"Multiplies strength at {where} of the fused face{when}; 1 changes nothing.", default=1.0, most=3.0,
        advanced=advanced or None, **keywords,
    )  # fmt: skip


def _factors(fused: FusedFeatures, parts: dict[str, float]) -> dict[str, float]:
    """The factors that are not 1. Raises ValueError for a part that the fused face does not have."""
    factor_by_part = {part: factor for part, factor in parts.items() if factor != 1}
    for part, factor in factor_by_part.items():
        if not {part, *GROUPS.get(part, ())} & set(fused.parts):
            raise ValueError(
                f"{part} is {factor:g}, but nothing in fused belongs to that part (it has {', '.join(fused.parts)}); "
                f"leave {part} at 1, or give that part in Mask Fuse"
            )
    return factor_by_part


def _addition_class(adapter: FuseAdapter, fused: FusedFeatures) -> type[Addition]:
    released = fused.mode == "released"
    if adapter.kind == CROSS_ATTENTION:
        return ReleasedCrossAttention if released else PracticalCrossAttention
    return ReleasedResnet if released else PracticalResnet


def _no_text() -> list[list[Any]]:
    return [[torch.zeros(1, TEXT_TOKENS, CONTEXT), {}]]
