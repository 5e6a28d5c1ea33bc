"""An assembled face takes over the light and skin colour of the picture around it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...detectors.parts import Face, FaceParts
from ...detectors.progress import Progress, counted, stages
from ...detectors.regions import eye_distance
from ..area import features_mask
from ..batches import index_in
from ..lab import to_lab, to_rgb
from ..light import read_light, relight
from ..masks import oval_masks
from .assembly import Assembly
from .tasks import ANEW, GIVERS


def match_assembly(assembly: Assembly, base: FaceParts, amount: float, progress: Progress | None = None) -> Assembly:
    """Match in light and colour what the giver of the skin gives, read from skin inside the face oval.

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
        at = index_in(base, i)
        face, area = base.face(at), assembly.origin[i] == GIVERS.index(giver)
        if face is not None:
            relit = _relit(pictures[i], base.pictures[at], face, ovals[at] * area, amount)
            pictures[i] = torch.where(area[..., None], relit, pictures[i])
    return replace(assembly, picture=pictures)


def _relit(picture: Tensor, target: Tensor, face: Face, skin: Tensor, amount: float) -> Tensor:
    """`picture` (H, W, 3) in the broad light that `target` (H, W, 3) has on the `skin` (H, W) of `face`."""
    skin = skin * (1 - features_mask(face, (0, 0, skin.shape[1], skin.shape[0])))
    if not bool(skin.any()):
        return picture
    reference, inside = to_lab(picture), torch.full_like(skin, -1)
    light = read_light(to_lab(target), reference, skin, inside, eye_distance(face))
    return to_rgb(relight(reference, light, amount, amount, skin))
