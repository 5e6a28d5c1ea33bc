"""Face Fusion in the host: photographs encoded by its VAE, references in the attention of its UNet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import comfy.model_management as mm
import comfy.ops
import torch
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from ...detectors.progress import Progress, counted
from ...injection.face_fusion.file import build_projections
from ...injection.face_fusion.layers import Layer, transformers
from ...injection.face_fusion.patch import (
    HiddenStateHooks,
    JoinedAttention,
    ReferencePatch,
    SelfAttentionHooks,
    Settings,
)
from ...injection.face_fusion.people import FacePerson, references_of
from ...injection.face_fusion.reference_store import NOISED, Encoding, Hooks
from ...injection.files.weight_file import read_metadata, read_weights
from ...injection.unet.fit import AttentionSize, check_fit
from .attention import keep_loaded
from .patcher import InPatcher, managed
from .sampling import wrap_sampling

USABLE = "take a file that face-part-fusion new-controller --kind face-fusion or its training wrote"


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, options: Mapping[str, Any], mask: Tensor | None = None
) -> Tensor:
    """The host's attention of the block that `options` belong to; `mask` (1 or queries, keys) goes onto its scores."""
    return optimized_attention(
        queries, keys, values, options["n_heads"], mask=mask, attn_precision=options.get("attn_precision"),
        transformer_options=options,
    )  # fmt: skip


def encode_people(vae: Any, people: Sequence[FacePerson], progress: Progress | None = None) -> list[list[Tensor]]:
    """For each person the photographs' latents, (1, C, h, w) each."""
    pictures = [picture for person in people for picture in person.pictures]
    latents = iter([vae.encode(picture).cpu() for picture in counted(pictures, progress)])
    return [[next(latents) for _ in person.pictures] for person in people]


def refer(
    model: Any, people: Sequence[FacePerson], latents: Sequence[Sequence[Tensor]], settings: Settings, *,
    projections: Projections | None = None, noise: str = NOISED, every: int = 1, balance: bool = True,
    prompt: Any = None,
) -> Any:  # fmt: skip
    """A clone of `model` whose attention looks at the people.

    `people`: all of them act. `latents`: as `encode_people` gives them. `projections`: trained; None is training-free.
    `noise`, `every`: as `Encoding` takes them. `balance`: as `references_of` takes it. `prompt`: a CONDITIONING for the
    references, None for no text.

    Raises ValueError for latents or projections of another family, and a model whose self-attention another node
    replaced.
    """
    slot = "attn1" if projections is None else "attn2"
    clone = model.clone()
    _check_free(clone, slot, settings)
    _check_latents(model, latents)
    hooks: Hooks = SelfAttentionHooks(settings.layers, attend)
    if projections is not None:
        _check_fits(model, projections, settings.layers)
        keep_loaded(clone, projections)
        hooks = HiddenStateHooks(settings.layers, projections.module.project)
    words = (prompt[0][0], prompt[0][1]) if prompt else None
    encoding = Encoding(tuple(references_of(people, latents, balance)), hooks, noise, every, words)
    patch = ReferencePatch(people, encoding, attend, settings)
    _replace(clone, patch, slot)
    wrap_sampling(clone, patch)
    return clone


def _replace(model: Any, patch: ReferencePatch, slot: str) -> None:
    """Put the patch into the attentions of its layers.

    Self-attention is replaced by block, so that a guidance that replaces all of a block for a call of its own (PAG)
    goes before it. Cross-attention is replaced by layer, where other nodes' replacements are, which it calls.
    """
    taken = model.model_options["transformer_options"].get("patches_replace", {}).get(slot, {})
    if slot == "attn1":
        for block in sorted({layer.block for layer in patch.settings.layers}):
            model.set_model_attn1_replace(JoinedAttention(patch), *block)
        return
    depths = Counter(layer.block for layer in patch.settings.layers)
    for layer in sorted(patch.settings.layers):
        long = depths[layer.block] > 1 or tuple(layer) in taken
        before = taken.get(tuple(layer), taken.get(layer.block))
        model.set_model_attn2_replace(JoinedAttention(patch, before), *(layer if long else layer.block))


def _check_free(model: Any, slot: str, settings: Settings) -> None:
    """Raises ValueError where the references cannot join what is in the slots already."""
    replaced = model.model_options["transformer_options"].get("patches_replace", {})
    present = [patch for by_slot in replaced.values() for patch in by_slot.values()]
    if any(isinstance(patch, JoinedAttention) for patch in present):
        raise ValueError(
            "model already looks at the people of another such node; wire all people into one, because their "
            "references share one softmax"
        )
    blocks = {layer.block for layer in settings.layers}
    if slot == "attn1" and any(tuple(place[:2]) in blocks for place in replaced.get("attn1", {})):
        raise ValueError(
            "another node replaces the model's self-attention, which is where references join; put that node (such as "
            "Self-Attention Guidance) behind this one"
        )


def _check_latents(model: Any, latents: Sequence[Sequence[Tensor]]) -> None:
    """Raises ValueError for latents that the model does not sample."""
    needed = model.model.latent_format.latent_channels
    came = {tuple(latent.shape) for own in latents for latent in own}
    if any(len(shape) != 4 or shape[1] != needed for shape in came):
        raise ValueError(
            f"vae makes latents of shape {sorted(came)[0]} and the model samples {needed} channels; wire in the VAE of "
            "the same checkpoint"
        )


class Projections(InPatcher):
    """Trained projections in the host's care."""

    def __init__(self, patcher: Any) -> None:
        self.patcher = patcher


def load_projections(path: str) -> Projections:
    """The projections in a file. Raises ValueError when it holds none, or not whole."""
    metadata, weights = read_metadata(path), read_weights(path, USABLE)
    dtype = next(iter(weights.values())).dtype if weights else torch.float32
    module = build_projections(
        weights, metadata, path, ops=comfy.ops.manual_cast, device=mm.unet_offload_device(), dtype=dtype
    ).eval()
    return Projections(managed(module, dict(weights)))


def _check_fits(model: Any, projections: Projections, layers: frozenset[Layer]) -> None:
    needed = {layer.name for layer in layers}
    sizes = {
        layer.name: AttentionSize(block.attn2.to_q.in_features, block.attn2.to_k.in_features)
        for layer, block in transformers(model.model.diffusion_model)
        if layer in layers
    }
    check_fit(
        {name: size for name, size in projections.module.sizes.items() if name in needed}, sizes, unet="model",
        adapter=f"mechanism is 'trained' with projections for the family '{projections.module.family}'",
        advice="wire in a model, or choose projections, of the same family", exact=True,
    )  # fmt: skip
