"""SD1.5's noise."""

from __future__ import annotations

import torch
from torch import Tensor

# Timesteps, and the first and last beta of their schedule.
TIMESTEPS, BETAS = 1000, (0.00085, 0.012)


def levels() -> tuple[Tensor, Tensor]:
    """Of each timestep the factors a of the picture and s of the noise, (TIMESTEPS,) each."""
    betas = torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, TIMESTEPS, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    return kept.sqrt().float(), (1 - kept).sqrt().float()
