"""A VAE and image encoders of a real host with random weights, small enough for a test.

For scripts beside this file, after `host.start()`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


def random_vae(channels: int = 4) -> Any:
    """The host's tiny autoencoder: 8 pixels a cell, `channels` 4 or 16.

    One convolution either way in the place of its layers: they would take a third of a script's time.
    """
    import comfy.sd
    import comfy.taesd.taesd

    vae = comfy.sd.VAE(sd=comfy.taesd.taesd.TAESD(latent_channels=channels).state_dict())
    net, draw = vae.first_stage_model, torch.Generator().manual_seed(channels)
    # As in a real one, a cell depends on its neighbours' pixels too.
    net.taesd_encoder = torch.nn.Conv2d(3, channels, 24, stride=8, padding=8)
    net.taesd_decoder = torch.nn.ConvTranspose2d(channels, 3, 24, stride=8, padding=8)
    for weight in (*net.taesd_encoder.parameters(), *net.taesd_decoder.parameters()):
        weight.data.copy_(torch.randn(weight.shape, generator=draw) / max(1, weight[0].numel()) ** 0.5)
    return vae


def random_vision(base: Path, width: int) -> Any:
    """A CLIP_VISION of two layers at 224 pixels: 1280 wide for IP-Adapter, 1024 for FaceX."""
    import comfy.clip_vision

    file = base / f"vision_{width}.json"
    config = {
        "hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "num_channels": 3, "patch_size": 14, "hidden_act": "gelu", "model_type": "clip_vision_model",
        "image_size": 224, "projection_dim": 16,
    }  # fmt: skip
    file.write_text(json.dumps(config))
    vision = comfy.clip_vision.ClipVisionModel(str(file))
    draw = torch.Generator().manual_seed(width)
    vision.load_sd({k: torch.randn(w.shape, generator=draw) * 0.05 for k, w in vision.get_sd().items()})
    return vision
