"""Representations and a target -> what steers where, and a picture of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import Face, FaceParts, of_input
from ...detectors.preview import REGION_COLOURS
from ...detectors.progress import Progress, counted, stages
from ...fusion.features.part_crops import WHOLE
from ...fusion.masks import part_mask
from ..facex.representation import FaceRepresentation
from .regional_attention import Steering

_COLOURS = (torch.tensor(REGION_COLOURS) / 255).round(decimals=2)
_BLANK = 512


def steer(
    representations: Sequence[FaceRepresentation],
    target: FaceParts | None,
    *,
    strength: float = 1.0,
    grow: float = 0.0,
    feather: float = 0.0,
    mask: Tensor | None = None,
    progress: Progress | None = None,
) -> list[Steering]:
    """Every part of every reference with the region of the target that it steers.

    Without a `target` every part acts everywhere. `strength` is a factor on the parts' own. `grow`, `feather`: shares
    of the target face's longer side; the region grows by the one and fades over the other. `mask` (B or 1, H, W) of
    the target's size: only where it is white. `progress` is told after each target picture of each part. Raises
    ValueError when a representation has no tokens, when no target picture has a face and for a region without pixels;
    PartMissing when the target's face lacks a part.
    """
    if not representations:
        raise ValueError("nothing steers: wire at least one Face Representation Encode into representations")
    if target is not None and all(target.face(i) is None for i in range(len(target))):
        raise ValueError("target has no chosen face in any picture, so no part has a region; see Face Part Detect")
    steerings = []
    told = iter(stages(progress, sum(len(representation.parts) for representation in representations)))
    for number, representation in enumerate(representations, 1):
        for part, tokens in representation.parts.items():
            name = f"{part} of representation {number}"
            region = torch.ones(1, 1, 1) if target is None else region_masks(target, part, grow, feather, next(told))
            if not bool((region > 0).any()):
                raise ValueError(
                    f"{name}: the region of '{part}' in target is empty; raise grow, or detect the target again"
                )
            given = strength * representation.strengths[part]
            masked = region if mask is None else region * mask.clamp(0, 1)
            steerings.append(Steering(name, tokens, _empty(representation, number), masked, given))
        if not representation.parts:
            raise ValueError(
                f"representation {number} has no tokens of face parts, which an IP-Adapter needs; make it with Face "
                "Representation Encode, a CLIP vision model and at least one part above 0"
            )
    return steerings


def region_masks(target: FaceParts, part: str, grow: float, feather: float, progress: Progress | None = None) -> Tensor:
    """(B, H, W) 0..1: where `part` ("face": the face oval) of each chosen face is; black where there is none.

    `grow`, `feather`: shares of the face's longer side. `progress` is told after each picture. Raises PartMissing when
    a chosen face lacks the part.
    """
    masks = torch.zeros(len(target), *target.size)
    for i in counted(range(len(target)), progress):
        face = target.face(i)
        if face is not None:
            unit = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
            with of_input("target", i, len(target)):
                masks[i] = part_mask(face, _members(face, part), target.size, grow=grow * unit, feather=feather * unit)
    return masks


def draw_regions(regions: Sequence[tuple[Tensor, float]], target: FaceParts | None) -> Tensor:
    """(B, H, W, 3) 0..1: the target's pictures in grey, or black, with every region in a colour of its own.

    `regions`: masks (B or 1, H, W) with strengths; the weaker, the fainter. Without a target and masks of a size the
    picture has 512 x 512 pixels.
    """
    sizes = [tuple(mask.shape[-2:]) for mask, _ in regions if mask.shape[-1] > 1]
    size = target.size if target is not None else sizes[0] if sizes else (_BLANK, _BLANK)
    drawn = torch.zeros(1, *size, 3) if target is None else target.pictures.mean(-1, keepdim=True).expand(-1, -1, -1, 3)
    drawn = (0.5 * drawn).expand(max(len(drawn), *(len(mask) for mask, _ in regions)), -1, -1, -1)
    for number, (mask, strength) in enumerate(regions):
        share = functional.interpolate(mask[:, None], size, mode="nearest")[:, 0, :, :, None] * min(1.0, strength)
        drawn = torch.lerp(drawn, _COLOURS[number % len(_COLOURS)].expand_as(drawn), 0.7 * share)
    return drawn


def _members(face: Face, part: str) -> tuple[str, ...]:
    if part != WHOLE:
        return (part,)
    return ("skin",) if face.has("skin") else tuple(face.regions)


def _empty(representation: FaceRepresentation, number: int) -> Tensor:
    if representation.unconditioned is None:
        raise ValueError(
            f"representation {number} lacks the tokens of an empty picture; make it with Face Representation Encode"
        )
    return representation.unconditioned
