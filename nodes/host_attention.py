"""Regional attention in the host's models: the host's own attention, its slots, its sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.patcher_extension
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from ..injection.attention_patches import RegionalReplacement, attention_layers, slot_of
from ..injection.block_weights import read_block_weights
from ..injection.ip_adapter import check_encoder, check_model
from ..injection.regional_attention import RegionalAttention, Steering
from ..injection.representation import FaceRepresentation
from .host_controller import FaceController

KEY = "face_part_fusion"


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """What the host uses for every attention: (rows, n, C) each -> (rows, n of queries, C)."""
    return optimized_attention(queries, keys, values, heads)


def plain_attention(queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any]) -> Tensor:
    """What a cross-attention does when nothing replaces it, with the other patches' say in it."""
    return optimized_attention(
        queries, keys, values, options["n_heads"], attn_precision=options.get("attn_precision"),
        transformer_options=options,
    )  # fmt: skip


def sigma_range(
    model: Any, start: float, end: float, names: tuple[str, str] = ("start", "end")
) -> tuple[float, float] | None:
    """Noise levels of `start` and `end` (0..1 of the sampling), None for the whole of it.

    `names`: what the two inputs are called. Raises ValueError when the end does not come after the start.
    """
    if not start < end:
        raise ValueError(f"{names[1]} is {end} and {names[0]} {start}; {names[1]} must be the larger one")
    if start <= 0 and end >= 1:
        return None
    sampling = model.get_model_object("model_sampling")
    return float(sampling.percent_to_sigma(start)), float(sampling.percent_to_sigma(end))


def check_encoders(controller: FaceController, representations: Sequence[FaceRepresentation]) -> None:
    """Raises ValueError when a representation comes from another encoder than the adapter was trained with."""
    for representation in representations:
        for tokens in representation.parts.values():
            check_encoder(controller.module.layout, tokens.shape[-1], representation.encoder)


def steer_model(
    model: Any, controller: FaceController, steerings: Sequence[Steering], *, block_weights: str,
    sigmas: tuple[float, float] | None,
) -> Any:  # fmt: skip
    """A clone of `model` whose cross-attentions also attend to the references, by the IP-Adapter in `controller`.

    Raises ValueError when model and adapter do not belong together.
    """
    layers = attention_layers(model.get_model_object("diffusion_model"))
    check_model(controller.module.layout, [layer.channels for layer in layers], layers[0].context)
    weights = read_block_weights(block_weights, [(layer.side, layer.number) for layer in layers])
    steered = model.clone()
    regional = RegionalAttention(controller.module, steerings, attend)
    for number, layer in enumerate(layers):
        if weights[layer.block] > 0:
            taken = steered.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
            slot, before = slot_of(layer, taken)
            patch = RegionalReplacement(regional, number, weights[layer.block], sigmas, before or plain_attention)
            steered.set_model_attn2_replace(patch, *slot)
    keep_loaded(steered, controller)
    steered.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, KEY, per_sampling(regional))
    return steered


def keep_loaded(model: Any, controller: FaceController) -> None:
    """Have the host load and unload the controller's weights together with the model."""
    held = model.get_additional_models_with_key(KEY)
    if not any(patcher.is_clone(controller.patcher) for patcher in held):
        model.set_additional_models(KEY, [*held, controller.patcher])


def per_sampling(regional: RegionalAttention) -> Any:
    """An OUTER_SAMPLE wrapper: what was computed for one sampling goes when it ends, however it ends."""

    # A function, because hosts before 0.14 copy other objects with every clone of a model.
    def wrapper(executor: Any, noise: Tensor, *args: Any, **kwargs: Any) -> Any:
        regional.begin(noise)
        try:
            return executor(noise, *args, **kwargs)
        finally:
            regional.forget()

    return wrapper
