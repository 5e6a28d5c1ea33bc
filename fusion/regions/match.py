"""An assembled face takes the light and skin colour of the picture that it is laid in."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted, stages
from ..masks import oval_masks
from ..tone import match_tone
from .assemble import Assembly
from .tasks import ANEW, GIVERS


def match_assembly(assembly: Assembly, base: FaceParts, amount: float, progress: Progress | None = None) -> Assembly:
    """`assembly` with all that the giver of the skin has laid matched in tone to `base`, read inside the face oval.

    `base`: whose picture is the canvas, B or 1 pictures. `amount`: 0 leaves the picture as it is, 1 matches it. Nothing
    is done where the skin is the base's own or made anew, as single features keep their colours, nor where the hair
    comes along, which would lose its own. `progress` is told after each picture. Raises ValueError for an amount
    outside 0..1.
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"tone is {amount}; it goes from 0 (keep the source's) to 1 (take the target's)")
    giver = assembly.regions_from["skin"]
    if amount == 0 or giver in (assembly.base, ANEW, assembly.regions_from["hair"]):
        return assembly
    first, second = stages(progress, 2)
    pictures, ovals = assembly.picture.clone(), oval_masks(base, first)
    for i in counted(range(len(pictures)), second):
        picture, at = pictures[i], 0 if len(base) == 1 else i
        laid = assembly.origin[i] == GIVERS.index(giver)
        toned = match_tone(picture, base.pictures[at], ovals[at] * laid, amount).clamp(0, 1)
        pictures[i] = torch.where(laid[..., None], toned, picture)
    return replace(assembly, picture=pictures)
