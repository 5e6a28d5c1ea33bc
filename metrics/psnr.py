"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

from torch import Tensor

from .mse import mse

# Decibels of pictures that do not differ: JSON and bars know no infinity. Steps of 16 bits give 96.
SAME = 100.0


def psnr(one: Tensor, other: Tensor, weights: Tensor | None = None) -> float:
    """Decibels of the largest value, 1, above the error; at most SAME. Arguments and errors are those of `mse`."""
    error = mse(one, other, weights)
    return SAME if error <= 10 ** (-SAME / 10) else -10 * math.log10(error)
