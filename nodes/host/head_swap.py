"""What HeadSwap does with the host's objects: encode, mix, condition."""

from __future__ import annotations

from typing import Any

import torch
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...fusion.regions.pair import HeadLayout
from ...injection.sampling.masked_fusion import ORDERS, make_mix
from .masked_fusion import add_layer
from .omni import fit_to_cells, for_inpainting

OWNER = "Head Swap"


def sampling_outputs(
    model: Any, vae: Any, positive: Any, negative: Any, layout: HeadLayout, start: Tensor
) -> tuple[Any, Any, Any, Any]:
    """MODEL, positive, negative and LATENT for the transition between head and body.

    `start`: (B, H, W, 3), the picture that the sampler starts from.
    """
    masks = layout.masks()
    heads = torch.stack([pair.head for pair in layout.pairs])
    bodies = torch.stack([pair.body for pair in layout.pairs])
    start, heads, bodies, *cut = fit_to_cells(vae, start, heads, bodies, *masks)
    head_mask, body_mask, transition = cut
    sources = [(vae.encode(heads), head_mask), (vae.encode(bodies), body_mask)]
    mixed = add_layer(model, *make_mix(sources, ORDERS[0], 0.0, 1.0, True, OWNER))
    mixed, *prompts = for_inpainting(mixed, vae, start, transition, positive, negative)
    return mixed, *prompts, {"samples": vae.encode(start)}


def not_wired() -> tuple[Any, Any, Any, Any]:
    """Outputs that stop whatever is wired to them, with a sentence."""
    blocked = ExecutionBlocker(
        f"{OWNER}: this output needs model, vae, positive and negative wired in; picture, mask and layout work without"
    )
    return blocked, blocked, blocked, blocked
