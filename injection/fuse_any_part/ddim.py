"""FuseAnyPart's released sampling: deterministic DDIM on "leading" timesteps, from noise scaled by the VAE's factor.

Source: the public release's inference program: 1000 training steps, scaled-linear betas 0.00085..0.012, offset 1, no
clipping, last alpha_bar that of step 0, epsilon prediction, eta 0.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TRAINED_STEPS = 1000
# First and last variance of the noise that a training step adds.
BETAS = (0.00085, 0.012)

Predict = Callable[[Tensor, int], Tensor]
After = Callable[[int, Tensor, Tensor], None]


def alpha_bars() -> Tensor:
    """(1000,) float64: the signal's share of the variance at each training step."""
    roots = torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, TRAINED_STEPS, dtype=torch.float64)
    return (1 - roots**2).cumprod(0)


def timesteps(steps: int) -> list[int]:
    """The training steps that are sampled: 981, 961, ..., 1 for 50 steps. Raises ValueError outside 1..1000."""
    if not 1 <= steps <= TRAINED_STEPS:
        raise ValueError(f"steps is {steps}; it must be 1 to {TRAINED_STEPS}")
    spacing = TRAINED_STEPS // steps
    # With 1000 steps the offset would exceed the last trained step.
    return [min(i * spacing + 1, TRAINED_STEPS - 1) for i in reversed(range(steps))]


def sigmas(steps: int) -> Tensor:
    """(steps + 1,) float64: noise over signal at each timestep, and at step 0, where the sampling run ends."""
    signal = alpha_bars()[[*timesteps(steps), 0]]
    return ((1 - signal) / signal).sqrt()


def ddim(predict: Predict, start: Tensor, schedule: Tensor, after: After | None = None) -> Tensor:
    """Latents (B, C, h, w) after DDIM with eta 0, in the scale of `start`.

    predict: (x, i) -> the noise in the latents x at `schedule[i]`, of their shape.
    start: (B, C, h, w), in diffusers' scale: signal and noise together have variance 1.
    schedule: (steps + 1,), noise over signal, falling, as `sigmas` gives it.
    after: called with i, the latents before step i and their estimate of the clean latents.
    """
    x = start
    # On the CPU, as some devices lack double precision.
    signals = (1 / (1 + schedule.cpu().double() ** 2)).tolist()
    for i, (now, later) in enumerate(zip(signals, signals[1:], strict=False)):
        noise = predict(x, i)
        clean = (x - (1 - now) ** 0.5 * noise) / now**0.5
        if after is not None:
            after(i, x, clean)
        x = later**0.5 * clean + (1 - later) ** 0.5 * noise
    return x
