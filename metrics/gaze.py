"""Whether two pairs of eyes look in the same direction within their heads."""

from __future__ import annotations

import torch

from ..detectors.motion import iris_positions
from ..detectors.parts import Face


def gaze_difference(one: Face, other: Face) -> float | None:
    """How far the irises lie elsewhere between the corners of their eyes, mean of both, in percent of an eye's width.

    None where the landmarks of a face lack irises.
    """
    mine, others = iris_positions(one), iris_positions(other)
    if mine is None or others is None:
        return None
    # In halves of a width, across and down for each eye.
    apart = torch.tensor(mine).view(2, 2) - torch.tensor(others).view(2, 2)
    return 50 * float(apart.norm(dim=1).mean())
