"""Several people give the regions of one face: who steers where, and whose identity it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..detectors.parts import FaceParts
from ..detectors.progress import Progress, counted, stages
from ..fusion.region_areas import LAYERS, region_area
from ..fusion.tasks import PART_OF, SOURCE, TARGET
from .regional_attention import Steering
from .regions import region_masks
from .representation import FaceRepresentation

_STEERED = tuple(region for region in LAYERS if region != "background")


def steered_regions(regions_from: Mapping[str, str], giver: str) -> tuple[str, ...]:
    """The regions that `giver` steers: all that it gives but the background, bottom to top."""
    return tuple(region for region in _STEERED if regions_from[region] == giver)


def steer_regions(
    people: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], base: FaceParts, *,
    strength: float = 1.0, grow: float = 0.0, feather: float = 0.0, progress: Progress | None = None,
) -> list[Steering]:  # fmt: skip
    """Every region of everybody in `people` (giver -> its parts, by PART_OF's names) with where it acts on `base`.

    `grow`, `feather`: shares of the face's longer side, as in regions.region_masks. What lies above a region (LAYERS)
    is taken out of it, whoever gives that, so that together they weigh 1 at most on any spot; so are the regions that
    nobody in `people` gives, to their outline. `progress` is told after each picture of each region. Raises PartMissing
    when a face of `base` lacks a steered region.
    """
    free, steerings = torch.ones(len(base), *base.size), []
    for region, told in zip(reversed(_STEERED), stages(progress, len(_STEERED)), strict=True):
        giver = regions_from[region]
        if giver in people:
            person, part = people[giver], PART_OF[region]
            area = region_masks(base, part, grow, feather, told)
            if person.unconditioned is None or part not in person.parts:
                raise ValueError(f"{giver} gives the {region}, of which its representation has no tokens")
            given = strength * person.strengths[part]
            name = f"{region} of the {giver}"
            steerings.append(Steering(name, person.parts[part], person.unconditioned, area * free, given))
        else:
            area = _outlines(base, region, told)
        free = free * (1 - area)
    return steerings[::-1]


def identity_giver(regions_from: Mapping[str, str]) -> str:
    """Whose identity tokens FaceX gets: the source's (arXiv 2401.00551, section 3.3).

    Ours: where the source gives no region, theirs who gives the skin, and the target's where nobody does.
    """
    if SOURCE in regions_from.values():
        return SOURCE
    return regions_from["skin"] if regions_from["skin"].startswith(SOURCE) else TARGET


def _outlines(base: FaceParts, region: str, progress: Progress | None) -> Tensor:
    """(B, H, W) 0..1: the region of each chosen face, black where it is not known."""
    areas = torch.zeros(len(base), *base.size)
    for i in counted(range(len(base)), progress):
        face = base.face(i)
        area = None if face is None else region_area(face, region, base.size)
        if area is not None:
            areas[i] = area
    return areas
