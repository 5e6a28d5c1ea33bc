"""An assembled face takes over the light and skin colour of the picture around it."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted, stages
from ..batches import index_in
from ..masks import oval_masks
from ..tone import match_tone
from .assembly import Assembly
from .tasks import ANEW, GIVERS


def match_assembly(assembly: Assembly, base: FaceParts, amount: float, progress: Progress | None = None) -> Assembly:
    """Match in tone what the giver of the skin gives, read inside the face oval.

    Nothing changes where the skin is the base's own or made anew, as single features keep their colours, nor where
    the hair comes along, which would lose its own.

    `base`: B pictures or 1, whose picture is the canvas.
    `amount`: 0..1; 0 leaves the picture as it is, 1 matches it.
    `progress`: called after each picture.

    Raises ValueError for an amount outside 0..1.
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"tone is {amount}; it goes from 0 (keep the source's) to 1 (take the target's)")
    giver = assembly.regions_from["skin"]
    if amount == 0 or giver in (assembly.base, ANEW, assembly.regions_from["hair"]):
        return assembly
    oval_progress, match_progress = stages(progress, 2)
    pictures, ovals = assembly.picture.clone(), oval_masks(base, oval_progress)
    for i in counted(range(len(pictures)), match_progress):
        picture, at = pictures[i], index_in(base, i)
        area = assembly.origin[i] == GIVERS.index(giver)
        toned = match_tone(picture, base.pictures[at], ovals[at] * area, amount).clamp(0, 1)
        pictures[i] = torch.where(area[..., None], toned, picture)
    return replace(assembly, picture=pictures)
