"""The host's CLIP_VISION as the encoder that the pack's own code calls."""

from __future__ import annotations

from typing import Any

import comfy.model_management as mm
import torch
from torch import Tensor

from ...fusion.features.encoder import Encoder
from .progress import stop_if_asked

# Width of the tokens -> size of the ViT, for the name.
_LETTERS = {768: "B", 1024: "L", 1280: "H", 1664: "bigG"}


def host_encoder(clip_vision: Any) -> Encoder:
    """Takes CLIP of any size, and SigLIP with a fixed square picture; the host loads and unloads the model.

    Raises ValueError for another architecture, such as DINO or SigLIP 2 with a free picture size.
    """
    vision = getattr(getattr(clip_vision, "model", None), "vision_model", None)
    embeddings = getattr(vision, "embeddings", None)
    convolution = getattr(embeddings, "patch_embedding", None)
    if not isinstance(convolution, torch.nn.Conv2d):
        raise ValueError(
            f"clip_vision is a {type(getattr(clip_vision, 'model', clip_vision)).__name__}, which has no square cells "
            "of a fixed picture size; load a CLIP or SigLIP vision model (FuseAnyPart's own is CLIP ViT-H/14)"
        )
    size, patch, width = int(clip_vision.image_size), convolution.kernel_size[0], convolution.out_channels
    classes = 0 if embeddings.class_embedding is None else 1
    kind = "CLIP" if classes else "SigLIP"
    return Encoder(
        name=f"{kind} ViT-{_LETTERS.get(width, width)}/{patch} at {size} pixels",
        size=size,
        grid=(size // patch, size // patch),
        classes=classes,
        width=width,
        mean=tuple(clip_vision.image_mean),
        std=tuple(clip_vision.image_std),
        run=lambda pixels: _penultimate(clip_vision, pixels),
        model=clip_vision,
    )


def _penultimate(clip_vision: Any, pixels: Tensor) -> Tensor:
    """Pixel values (N, 3, s, s) -> the tokens before the last layer, the host's penultimate_hidden_states."""
    mm.load_model_gpu(clip_vision.patcher)
    # On a CPU one picture takes seconds, and the host itself looks at the stop button between nodes only.
    hooks = [layer.register_forward_pre_hook(stop_if_asked) for layer in clip_vision.model.vision_model.encoder.layers]
    try:
        tokens = clip_vision.model(pixel_values=pixels.to(clip_vision.load_device), intermediate_output=-2)[1]
    finally:
        for hook in hooks:
            hook.remove()
    return tokens.to("cpu", torch.float32)
