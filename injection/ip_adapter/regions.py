"""People's parts and a target -> what steers where, each part by itself; where regions overlap, all of them steer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...detectors.parts import Face, FaceParts, of_input
from ...detectors.progress import Progress, counted, stages
from ...fusion.features.part_crops import WHOLE
from ...fusion.masks import part_mask
from .part_tokens import PartTokens
from .regional_attention import Steering


def steer(
    representations: Sequence[PartTokens], target: FaceParts | None, *, strength: float = 1.0, grow: float = 0.0,
    feather: float = 0.0, mask: Tensor | None = None, progress: Progress | None = None,
) -> list[Steering]:  # fmt: skip
    """Every part of every reference with the region of the target that it steers.

    `target`: None lets every part act everywhere.
    `strength`: a factor on the parts' own.
    `grow`, `feather`: how far a region grows, and over how much it fades out, in lengths of the target face's longer
    side.
    `mask`: (B or 1, H, W) of the target's size; parts act only where it is white.
    `progress` is called after each target picture of each part.
    Raises ValueError when there is no representation, no target picture has a face, or a region has no pixels;
    PartMissing when the target's face lacks a part.
    """
    if not representations:
        raise ValueError("nothing steers: wire at least one encoded face into representations")
    if target is not None and all(target.face(i) is None for i in range(len(target))):
        raise ValueError(
            "target has no chosen face in any picture, so no part has a region; detect a face in it, or unplug it"
        )
    steerings = []
    named = [
        (f"{part} of representation {number}", part, representation)
        for number, representation in enumerate(representations, 1)
        for part in representation.parts
    ]
    for (name, part, representation), stage in zip(named, stages(progress, len(named)), strict=True):
        region = torch.ones(1, 1, 1) if target is None else region_masks(target, part, grow, feather, stage)
        if not bool((region > 0).any()):
            raise ValueError(
                f"{name}: the region of '{part}' in target is empty; raise grow, or detect the target again"
            )
        region = region if mask is None else region * mask.clamp(0, 1)
        own = strength * representation.strengths[part]
        steerings.append(Steering(name, representation.parts[part], representation.unconditioned, region, own))
    return steerings


def region_masks(target: FaceParts, part: str, grow: float, feather: float, progress: Progress | None = None) -> Tensor:
    """(B, H, W) 0..1: where `part` ("face": the face oval) of each chosen face is; black where there is no face.

    `grow`, `feather`: in lengths of the face's longer side.
    `progress` is called after each picture.
    Raises PartMissing when a chosen face lacks the part.
    """
    masks = torch.zeros(len(target), *target.size)
    for i in counted(range(len(target)), progress):
        face = target.face(i)
        if face is not None:
            unit = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
            with of_input("target", i, len(target)):
                masks[i] = part_mask(face, _members(face, part), target.size, grow=grow * unit, feather=feather * unit)
    return masks


def _members(face: Face, part: str) -> tuple[str, ...]:
    if part != WHOLE:
        return (part,)
    return ("skin",) if face.has("skin") else tuple(face.regions)
