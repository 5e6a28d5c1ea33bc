"""Pictures from noise by DDIM, with or without references."""

from __future__ import annotations

import torch
from torch import Tensor

from .model import TRAINED, ReferenceDenoiser
from .noise import TIMESTEPS, levels


def timesteps_of(steps: int) -> Tensor:
    """(steps + 1,), of which the last is where the last step leads."""
    return torch.linspace(TIMESTEPS - 1, 0, steps + 1).round().long()


@torch.no_grad()
def sample(
    net: ReferenceDenoiser, noise: Tensor, references: Tensor | None = None, *, mechanism: str = TRAINED,
    steps: int = 10, guidance: float = 1.0,
) -> Tensor:  # fmt: skip
    """Latents like `noise`.

    noise: (N, 4, h, w), standard normal.
    references, mechanism: as `ReferenceDenoiser.set_references` takes them.
    guidance: factor on what references change; at 1 they are looked at and no more.
    """
    a, s = levels()
    timesteps = timesteps_of(steps)
    net.set_references(references, mechanism)
    picture = noise
    for now, then in zip(timesteps[:-1].tolist(), timesteps[1:].tolist(), strict=True):
        each = torch.full((len(noise),), now, device=noise.device)
        velocity = net(picture, each)
        if references is not None and guidance != 1:
            plain = net(picture, each, looks=False)
            velocity = plain + guidance * (velocity - plain)
        clean, drawn = a[now] * picture - s[now] * velocity, s[now] * picture + a[now] * velocity
        picture = a[then] * clean + s[then] * drawn
    net.set_references(None)
    return clean
