"""Courses of the learning rate."""

from __future__ import annotations

import math


def rise_and_cosine(done: float) -> float:
    """Share of the peak learning rate: a short rise, then a cosine. `done`: share of the training, 0..1."""
    return min(1.0, done / 0.03 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * done)) + 0.005
