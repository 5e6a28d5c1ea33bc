"""FuseAnyPart's sampling with diffusers' modules: VAE, masked latent, DDIM with guidance, VAE.

Source: arXiv 2410.22771 and the public release's inference program.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...fusion.features.records import FusedFeatures
from .ddim import ddim, sigmas, timesteps
from .diffusers_unet import Injection
from .latents import SCALE, MaskedLatent, masked_target


@dataclass(frozen=True)
class Sampling:
    """`steps`: 1..1000. `guidance`: how far from the features of an empty picture, 1 = not at all.

    `seed` (0 to 2^63 - 3) is that of the target's latent, the next one that of the noise under the mask, the one after
    of the start. The published program seeds the start only. Raises ValueError outside these ranges.
    """

    steps: int = 50
    guidance: float = 7.5
    seed: int = 0

    def __post_init__(self) -> None:
        timesteps(self.steps)
        if not math.isfinite(self.guidance):
            raise ValueError(f"guidance is {self.guidance}; it must be a finite number, 7.5 as published")
        if not 0 <= self.seed <= 2**63 - 3:
            raise ValueError(f"seed is {self.seed}; it must be 0 to {2**63 - 3}")


def generate(
    vae: Any, injection: Injection, fused: FusedFeatures, sampling: Sampling, done: Callable[[], object] = lambda: None
) -> Tensor:
    """The target's pictures with the fused parts, (B, H, W, 3) in 0..1; `done` is called after every step.

    In "released" mode the shorter side is 512 and the starting noise has the standard deviation 0.18215, which is what
    the published program does; otherwise the picture keeps its size (a multiple of 8) and the noise is that of the
    training, 1. Raises ValueError for parts that reach no cell of the latent, and when what comes out is not finite.
    """
    masked = masked_latent(vae, fused, sampling.seed)
    start = torch.randn(masked.latent.shape, generator=torch.Generator().manual_seed(sampling.seed + 2))
    if fused.mode == "released":
        start = start * SCALE
    latents = sample_latents(injection, fused, masked, start, sampling, done)
    pictures = vae.decode((latents / SCALE).to(next(vae.parameters())), return_dict=False)[0]
    if not pictures.isfinite().all():
        raise ValueError(
            "the VAE gave values that are not finite; take another VAE of SD1.5, or weights that were not damaged"
        )
    return (pictures.float().cpu() / 2 + 0.5).clamp(0, 1).movedim(1, -1)


def masked_latent(vae: Any, fused: FusedFeatures, seed: int) -> MaskedLatent:
    """As `latents.masked_target`, by diffusers' VAE; its latents are drawn with `seed`, the noise with the next one."""

    def encode(pictures: Tensor) -> Tensor:
        pixels = (pictures.movedim(-1, 1) * 2 - 1).to(next(vae.parameters()))
        latents = vae.encode(pixels, return_dict=False)[0]
        noise = torch.randn(latents.mean.shape, generator=torch.Generator().manual_seed(seed))
        return latents.mean.float().cpu() + latents.std.float().cpu() * noise

    return masked_target(fused.target, fused.mode, encode, seed + 1)


def sample_latents(
    injection: Injection, fused: FusedFeatures, masked: MaskedLatent, start: Tensor, sampling: Sampling,
    done: Callable[[], object] = lambda: None,
) -> Tensor:  # fmt: skip
    """Latents (B, 4, h, w) float32 on the CPU after the released DDIM.

    `start`: (B, 4, h, w), the noise from which it starts. `done` is called after every step.
    """
    guided = sampling.guidance != 1
    schedule, times = sigmas(sampling.steps), timesteps(sampling.steps)
    empty = fused.unconditioned.expand(len(fused), -1, -1)
    weight = next(injection.unet.parameters())
    tokens = torch.cat([empty, fused.tokens]) if guided else fused.tokens
    view = None if fused.mode == "released" else fused.target.view.repeat(2 if guided else 1, 1)
    injection.set_features(tokens, fused.grid, fused.classes, view=view)

    def predict(x: Tensor, step: int) -> Tensor:
        rows = torch.cat([x, masked.latent, masked.mask], 1)
        rows = torch.cat([rows, rows]) if guided else rows
        noise = injection(rows.to(weight), times[step]).float().cpu()
        done()
        if not guided:
            return noise
        unconditioned, conditioned = noise.chunk(2)
        return unconditioned + sampling.guidance * (conditioned - unconditioned)

    return ddim(predict, start, schedule)
