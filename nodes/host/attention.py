"""Regional attention in the host's models: the host's own attention, and its slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from ...injection.ip_adapter.adapter import check_encoder, check_model
from ...injection.ip_adapter.part_tokens import PartTokens
from ...injection.ip_adapter.regional_attention import RegionalAttention, Steering
from ...injection.ip_adapter.replacement import RegionalReplacement, attention_layers, slot_of
from ...injection.sampling.span import Span
from ...injection.unet.block_weights import read_block_weights
from .controller import FaceController
from .patcher import InPatcher
from .sampling import KEY, wrap_sampling


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """What the host uses for every attention: (rows, n, C) each -> (rows, n of queries, C)."""
    return optimized_attention(queries, keys, values, heads)


def plain_attention(queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
    """What a cross-attention does when nothing replaces it; the host's `options` reach what overrides attention."""
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
    end: float = 1.0, owner: str = "IP-Adapter",
) -> Any:  # fmt: skip
    """A clone of `model` whose cross-attentions also attend to the references, by the IP-Adapter in `controller`.

    `start`, `end`: the part of the sampling run, 0..1, in which they do. `owner`: the node, for messages during
    sampling. Raises ValueError when model and adapter do not belong together, and for an end that does not come after
    the start.
    """
    layers = attention_layers(model.get_model_object("diffusion_model"))
    check_model(controller.module.layout, [layer.channels for layer in layers], layers[0].context)
    weights = read_block_weights(block_weights, [(layer.side, layer.number) for layer in layers])
    steered = model.clone()
    regional = RegionalAttention(controller.module, steerings, attend, span=Span(start, end), owner=owner)
    for number, layer in enumerate(layers):
        if weights[layer.block] > 0:
            replacements = steered.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
            slot, before = slot_of(layer, replacements)
            patch = RegionalReplacement(regional, number, weights[layer.block], before or plain_attention)
            steered.set_model_attn2_replace(patch, *slot)
    keep_loaded(steered, controller)
    wrap_sampling(steered, regional)
    return steered


def keep_loaded(model: Any, controller: InPatcher) -> None:
    """Have the host load and unload the controller's weights together with the model."""
    patchers = model.get_additional_models_with_key(KEY)
    if not any(patcher.is_clone(controller.patcher) for patcher in patchers):
        model.set_additional_models(KEY, [*patchers, controller.patcher])
