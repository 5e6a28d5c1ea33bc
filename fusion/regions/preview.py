"""A picture of who gave what."""

from __future__ import annotations

import torch
from torch import Tensor

from .assemble import Assembly
from .tasks import GIVERS

# In the order of GIVERS: blue, amber, green, red, violet, and magenta for what is to be made up.
COLOURS = torch.tensor(
    [[41, 182, 246], [255, 167, 38], [102, 187, 106], [239, 83, 80], [149, 117, 205], [216, 27, 96]]
) / 255  # fmt: skip
_TINT = 0.45


def draw_givers(assembly: Assembly) -> Tensor:
    """(B, H, W, 3) 0..1: the assembled pictures; whatever is not the base's is tinted in its giver's colour."""
    weight = _TINT * (assembly.origin != GIVERS.index(assembly.base))[..., None]
    return torch.lerp(assembly.picture, COLOURS[assembly.origin], weight)
