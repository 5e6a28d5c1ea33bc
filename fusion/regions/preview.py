"""A picture of who gave what."""

from __future__ import annotations

import torch
from torch import Tensor

from ...detectors.preview import GIVER_COLOURS
from .assemble import Assembly
from .tasks import GIVERS

COLOURS = torch.tensor(GIVER_COLOURS) / 255
_TINT = 0.45


def draw_givers(assembly: Assembly) -> Tensor:
    """(B, H, W, 3) 0..1: the assembled pictures; whatever is not the base's is tinted in its giver's colour."""
    weight = _TINT * (assembly.origin != GIVERS.index(assembly.base))[..., None]
    return torch.lerp(assembly.picture, COLOURS[assembly.origin], weight)
