"""TAESD, a small codec of SD1.5's latents, by diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

# Pixels to a cell of the latent, on each side.
FACTOR = 8
# Pictures that are encoded or decoded at once.
_BATCH = 32


class Codec:
    """`folder` holds taesd_encoder.safetensors and taesd_decoder.safetensors."""

    def __init__(self, folder: Path) -> None:
        from diffusers import AutoencoderTiny

        net: Any = AutoencoderTiny()
        # In the published decoder number 0 is the clamp, which diffusers does not count.
        for side, part, first in (("encoder", net.encoder, 0), ("decoder", net.decoder, 1)):
            weights = load_file(folder / f"taesd_{side}.safetensors")
            part.load_state_dict({_renamed(key, first): value for key, value in weights.items()})
        self._net: Any = net.eval()

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """`pictures` (N, S, S) grey, float32, 0..1 -> latents (N, 4, S / FACTOR, S / FACTOR)."""
        rgb = pictures[:, None].expand(-1, 3, -1, -1) * 2 - 1
        return torch.cat([self._net.encoder(part) for part in rgb.split(_BATCH)])

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, 4, h, w) -> pictures (N, FACTOR h, FACTOR w) grey, float32, 0..1."""
        rgb = torch.cat([self._net.decoder(part) for part in latents.split(_BATCH)])
        return (rgb.mean(1) / 2 + 0.5).clamp(0, 1)


def _renamed(key: str, first: int) -> str:
    number, _, rest = key.partition(".")
    return f"layers.{int(number) - first}.{rest}"
