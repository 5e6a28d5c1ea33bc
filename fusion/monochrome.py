"""Photographs of one tone: black and white, sepia, cyanotype. What is laid into one takes its tone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .lab import to_lab

# Samples per side of a face, and the steps of lightness of which each has a colour of its own.
_SIDE, _STEPS = 96, 20
# Root mean square distance in a and b that pixels of a monochrome keep to the colour of their lightness at most: JPEG
# at low quality reaches 2.3, and the palest of 268 portraits in colour have 4.5.
_STRAY = 3.0


def tone_of(face: Tensor) -> Tensor | None:
    """The colour of each lightness in a monochrome: (steps, 2) a and b for L from 0 to 100; None for one in colour.

    `face`: (h, w, 3) RGB, 0..1, the window of a face.
    """
    size = [min(_SIDE, side) for side in face.shape[:2]]
    samples = functional.interpolate(face.permute(2, 0, 1)[None], size, mode="area")[0].flatten(1).T
    lab = to_lab(samples)
    # Each pixel counts for the two steps next to its lightness, and a little for all others, so that none stays empty.
    distance = (lab[:, :1] / 100 * (_STEPS - 1) - torch.arange(_STEPS)).abs()
    weights = (1 - distance).clamp_min(0) + 1e-4 / (1 + distance)
    tone = weights.T @ lab[:, 1:] / weights.sum(0)[:, None]
    stray = (lab[:, 1:] - in_tone(lab[:, 0], tone)).square().sum(-1).mean().sqrt()
    return tone if float(stray) < _STRAY else None


def into_tone(lab: Tensor, tone: Tensor, amount: float) -> Tensor:
    """L, a, b (..., 3) whose colour is that of the tone (steps, 2), by a share 0..1."""
    return torch.cat([lab[..., :1], torch.lerp(lab[..., 1:], in_tone(lab[..., 0], tone), amount)], -1)


def in_tone(lightness: Tensor, tone: Tensor) -> Tensor:
    """(..., 2): a and b of a lightness (...), 0..100, in a tone (steps, 2)."""
    at = (lightness / 100 * (len(tone) - 1)).clamp(0, len(tone) - 1)
    below = at.floor().long().clamp_max(len(tone) - 2)
    return torch.lerp(tone[below], tone[below + 1], (at - below)[..., None])
