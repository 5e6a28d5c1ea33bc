"""Regional attention in the host's models: the host's own attention, its slots, its sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...injection.facex.patch import ControlPatch
from ...injection.ip_adapter.adapter import check_encoder, check_model
from ...injection.ip_adapter.part_tokens import PartTokens
from ...injection.ip_adapter.regional_attention import RegionalAttention, Steering
from ...injection.ip_adapter.replacement import RegionalReplacement, attention_layers, slot_of
from ...injection.sampling.conditionings import around_conditionings, guided
from ...injection.unet.block_weights import read_block_weights
from .controller import FaceController

KEY = "face_part_fusion"


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """What the host uses for every attention: (rows, n, C) each -> (rows, n of queries, C)."""
    return optimized_attention(queries, keys, values, heads)


def plain_attention(queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
    """What a cross-attention does when nothing replaces it, with the other patches' say in it."""
    return optimized_attention(
        queries, keys, values, options["n_heads"], attn_precision=options.get("attn_precision"),
        transformer_options=options,
    )  # fmt: skip


def check_encoders(controller: FaceController, representations: Sequence[PartTokens]) -> None:
    """Raises ValueError when a representation comes from another encoder than the adapter was trained with."""
    for representation in representations:
        for tokens in representation.parts.values():
            check_encoder(controller.module.layout, tokens.shape[-1], representation.encoder)


def steer_model(
    model: Any, controller: FaceController, steerings: Sequence[Steering], *, block_weights: str, start: float = 0.0,
    end: float = 1.0,
) -> Any:  # fmt: skip
    """A clone of `model` whose cross-attentions also attend to the references, by the IP-Adapter in `controller`.

    `start`, `end`: the part of the sampling, 0..1, in which they do. Raises ValueError when model and adapter do not
    belong together, and for an end that does not come after the start.
    """
    layers = attention_layers(model.get_model_object("diffusion_model"))
    check_model(controller.module.layout, [layer.channels for layer in layers], layers[0].context)
    weights = read_block_weights(block_weights, [(layer.side, layer.number) for layer in layers])
    steered = model.clone()
    regional = RegionalAttention(controller.module, steerings, attend, start=start, end=end)
    for number, layer in enumerate(layers):
        if weights[layer.block] > 0:
            taken = steered.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
            slot, before = slot_of(layer, taken)
            patch = RegionalReplacement(regional, number, weights[layer.block], before or plain_attention)
            steered.set_model_attn2_replace(patch, *slot)
    keep_loaded(steered, controller)
    act_in_sampling(steered, regional)
    return steered


def keep_loaded(model: Any, controller: FaceController) -> None:
    """Have the host load and unload the controller's weights together with the model."""
    held = model.get_additional_models_with_key(KEY)
    if not any(patcher.is_clone(controller.patcher) for patcher in held):
        model.set_additional_models(KEY, [*held, controller.patcher])


def act_in_sampling(model: Any, patch: RegionalAttention | ControlPatch) -> None:
    """Have `patch` told of every sampling of `model`; what it computed for one goes when that ends, however it ends."""

    # A function, because hosts before 0.14 copy other objects with every clone of a model.
    def around_sampling(executor: Any, noise: Tensor, *args: Any, **kwargs: Any) -> Any:
        # Of the model that samples, as another node may have changed its noise levels after this one.
        sampling = executor.class_obj.model_patcher.get_model_object("model_sampling")
        try:
            patch.begin(noise, sampling.percent_to_sigma)
            with guided(executor.class_obj):
                return executor(noise, *args, **kwargs)
        finally:
            patch.forget()

    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, around_sampling)
    model.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, KEY, around_conditionings)
