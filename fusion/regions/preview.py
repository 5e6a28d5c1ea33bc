"""A picture of who gives what."""

from __future__ import annotations

import torch
from torch import Tensor

from ...detectors.preview import GIVER_COLOURS
from .assembly import Assembly
from .tasks import GIVERS

# RGB in 0..1, in the order of GIVERS.
COLOURS = torch.tensor(GIVER_COLOURS) / 255
# Share of a giver's colour in a pixel: the picture stays visible under it.
_TINT = 0.45


def draw_givers(assembly: Assembly) -> Tensor:
    """(B, H, W, 3) float32, 0..1: the assembled pictures; pixels that are not the base's have a tint of their giver."""
    weight = _TINT * (assembly.origin != GIVERS.index(assembly.base))[..., None]
    return torch.lerp(assembly.picture, COLOURS[assembly.origin], weight)
