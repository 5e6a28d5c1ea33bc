"""Several people give the regions of one face: who steers where, and whose identity it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted, stages
from ...fusion.regions.areas import LAYERS, region_area
from ...fusion.regions.tasks import ANEW, GIVERS, PART_OF, REGIONS, SOURCE, TARGET
from ..facex.representation import FaceRepresentation
from .regional_attention import Steering
from .regions import region_masks

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
    nobody in `people` gives, to their outline. A region that its giver has no tokens of is left out, and one that a
    face of `base` lacks steers nothing there: hidden ears or a bald head are no mistake. `progress` is told after each
    picture of each region. Raises ValueError when somebody lacks the tokens of an empty picture.
    """
    free, steerings = torch.ones(len(base), *base.size), []
    for region, told in zip(reversed(_STEERED), stages(progress, len(_STEERED)), strict=True):
        giver, part = regions_from[region], PART_OF[region]
        if giver not in people:
            area = _outlines(base, region, told)
        elif part not in people[giver].parts:
            continue
        else:
            person = people[giver]
            if person.unconditioned is None:
                raise ValueError(f"{giver} lacks the tokens of an empty picture; use Face Representation Encode")
            area, given = region_masks(_seen(base, part), part, grow, feather, told), strength * person.strengths[part]
            name = f"{region} of the {giver}"
            if bool(area.any()):
                steerings.append(Steering(name, person.parts[part], person.unconditioned, area * free, given))
        free = free * (1 - area)
    return steerings[::-1]


def unsteered(regions_from: Mapping[str, str], base: str, steerings: Sequence[Steering]) -> tuple[str, ...]:
    """What somebody else than `base` gives and none of `steerings` steers, such as "ears of the source"."""
    given = [f"{region} of the {regions_from[region]}" for region in _STEERED if regions_from[region] in _people(base)]
    return tuple(name for name in given if name not in {s.name for s in steerings})


def one_giver_each(
    representations: Sequence[FaceRepresentation],
) -> tuple[dict[str, FaceRepresentation], dict[str, str]]:
    """For `steer_regions`: giver -> person, and region -> giver, of people of whom each gives regions of their own.

    Raises ValueError when two give the same region, and for a part that is no region, such as the whole "face".
    """
    regions = {PART_OF[region]: region for region in _STEERED}
    people = {f"representation {number}": person for number, person in enumerate(representations, 1)}
    found = dict.fromkeys(REGIONS, TARGET)
    for giver, person in people.items():
        for part in person.parts:
            if part not in regions:
                raise ValueError(
                    f"{giver} gives '{part}', which lies over several regions; with overlap 'upper one' give only "
                    f"{', '.join(regions)}, or set overlap to 'add'"
                )
            if found[regions[part]] != TARGET:
                raise ValueError(
                    f"{found[regions[part]]} and {giver} both give '{part}'; with overlap 'upper one' one person gives "
                    "each part, so set it to 0 at one of them, or set overlap to 'add'"
                )
            found[regions[part]] = giver
    return people, found


def identity_giver(regions_from: Mapping[str, str]) -> str:
    """Whose identity tokens FaceX gets: the source's (arXiv 2401.00551, section 3.3).

    Ours: where the source gives no region, theirs who gives the skin, and the target's where nobody does.
    """
    if SOURCE in regions_from.values():
        return SOURCE
    return regions_from["skin"] if regions_from["skin"].startswith(SOURCE) else TARGET


def _people(base: str) -> tuple[str, ...]:
    return tuple(giver for giver in GIVERS if giver not in (base, ANEW))


def _seen(base: FaceParts, part: str) -> FaceParts:
    """`base` without the faces on which nothing of the part can be seen."""
    faces = [base.face(i) for i in range(len(base))]
    chosen = (c if face is not None and face.shows(part) else None for c, face in zip(base.chosen, faces, strict=True))
    return replace(base, chosen=tuple(chosen))


def _outlines(base: FaceParts, region: str, progress: Progress | None) -> Tensor:
    """(B, H, W) 0..1: the region of each chosen face, black where it is not known."""
    areas = torch.zeros(len(base), *base.size)
    for i in counted(range(len(base)), progress):
        face = base.face(i)
        area = None if face is None else region_area(face, region, base.size)
        if area is not None:
            areas[i] = area
    return areas
