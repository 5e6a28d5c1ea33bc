"""A VAE and image encoders of a real host with random weights, small enough for a test.

For scripts beside this file, after `host.start()`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


def random_vae(channels: int) -> Any:
    """The host's tiny autoencoder: 8 pixels a cell, `channels` 4 or 16."""
    import comfy.sd
    import comfy.taesd.taesd

    net = comfy.taesd.taesd.TAESD(latent_channels=channels)
    draw = torch.Generator().manual_seed(channels)
    weights = {k: torch.randn(v.shape, generator=draw) / max(1, v[0].numel() if v.ndim else 1) ** 0.5
               for k, v in net.state_dict().items() if k.startswith("taesd_")}  # fmt: skip
    return comfy.sd.VAE(sd=weights)


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
