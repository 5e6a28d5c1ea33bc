"""Several people give the regions of one face: each region steered by its giver alone, upper ones over lower ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted, stages
from ...fusion.features.encoder import Encoder
from ...fusion.features.part_pictures import faces_of_giver
from ...fusion.regions.areas import LAYERS, region_area
from ...fusion.regions.assembly import Assembly
from ...fusion.regions.tasks import ANEW, GIVERS, PART_OF, REGIONS, TARGET
from .part_tokens import PartTokens, encode_parts
from .regional_attention import Steering
from .regions import region_masks, steer

_STEERED = tuple(region for region in LAYERS if region != "background")
# Regions of an assembly reach a little beyond the part and fade out, in lengths of the face's longer side; crops have
# room around the part, in lengths of its longer side.
_GROW, _FEATHER, _PADDING = 0.05, 0.1, 0.25


def steered_regions(regions_from: Mapping[str, str], giver: str) -> tuple[str, ...]:
    """The regions that `giver` steers: all that it gives but the background, bottom to top."""
    return tuple(region for region in _STEERED if regions_from[region] == giver)


def steer_assembly(
    encoder: Encoder, assembly: Assembly, people: Mapping[str, FaceParts], strength: float = 1.0,
    progress: Progress | None = None,
) -> list[Steering]:  # fmt: skip
    """Every region that is not the base's own, steered by its giver, where it lies in the base's pictures.

    `people`: giver -> faces, of the base too. Regions of which nothing can be seen on the giver or on the base are left
    out. Raises ValueError when that leaves none, and for a giver without a face.
    """
    *each, last = stages(progress, len(people) + 1)
    encoded = {}
    for (giver, parts), stage in zip(people.items(), each, strict=True):
        strengths = {} if giver == assembly.base else _visible_parts(giver, parts, assembly.regions_from)
        if strengths:
            encoded[giver] = encode_parts(encoder, parts, strengths, _PADDING, stage)[0]
    if not encoded:
        raise ValueError(
            f"controller is an IP-Adapter, and nobody but the {assembly.base} gives a region of the {assembly.base}'s "
            "face that can be seen, so there is nothing to steer with; give regions to somebody else, or unplug the "
            "controller"
        )
    return steer_regions(
        encoded, assembly.regions_from, people[assembly.base], strength=strength, grow=_GROW, feather=_FEATHER,
        progress=last,
    )  # fmt: skip


def _visible_parts(giver: str, parts: FaceParts, regions_from: Mapping[str, str]) -> dict[str, float]:
    """The parts that `giver` gives and that all of its faces show, each at strength 1."""
    names = [PART_OF[region] for region in steered_regions(regions_from, giver)]
    faces = faces_of_giver(giver, parts) if names else []
    return {part: 1.0 for part in names if all(face.shows(part) for face in faces)}


def steer_upper_ones(
    representations: Sequence[PartTokens], target: FaceParts | None, *, strength: float = 1.0, grow: float = 0.0,
    feather: float = 0.0, mask: Tensor | None = None, progress: Progress | None = None,
) -> list[Steering]:  # fmt: skip
    """As `regions.steer`, but what lies above a region is taken out of it, so that one person steers each spot.

    Raises ValueError without a target, as `one_giver_each` does, and when people and target share no part.
    """
    if target is None:
        raise ValueError(
            "overlap is 'upper one', which needs to know where the parts of the target lie; wire in target, or set "
            "overlap to 'add'"
        )
    people, regions_from = one_giver_each(representations)
    steerings = steer_regions(
        people, regions_from, target, strength=strength, grow=grow, feather=feather, progress=progress
    )
    if not steerings:
        raise ValueError("nothing steers: representations and target share no part; encode parts that the target has")
    if mask is not None:
        steerings = [replace(s, mask=s.mask * mask.clamp(0, 1)) for s in steerings]
    return steerings


# How regions act where they lie over each other.
OVERLAPS: Mapping[str, Callable[..., list[Steering]]] = {"add": steer, "upper one": steer_upper_ones}


def steer_regions(
    people: Mapping[str, PartTokens], regions_from: Mapping[str, str], base: FaceParts, *,
    strength: float = 1.0, grow: float = 0.0, feather: float = 0.0, progress: Progress | None = None,
) -> list[Steering]:  # fmt: skip
    """Every region of everybody in `people` (giver -> its parts, by PART_OF's names) with where it acts on `base`.

    What lies above a region (LAYERS) is taken out of it, whoever gives that, so that together they weigh 1 at most on
    any spot; so are the regions that nobody in `people` gives, to their outline. A region that its giver has no tokens
    of is left out, and one that a face of `base` lacks steers nothing there: hidden ears or a bald head are no mistake.

    `grow`, `feather`: in lengths of the face's longer side, as in `regions.region_masks`.
    `progress` is called after each picture of each region.
    """
    free, steerings = torch.ones(len(base), *base.size), []
    for region, stage in zip(reversed(_STEERED), stages(progress, len(_STEERED)), strict=True):
        giver, part = regions_from[region], PART_OF[region]
        if giver not in people:
            area = _outlines(base, region, stage)
        elif part not in people[giver].parts:
            continue
        else:
            person = people[giver]
            area = region_masks(_with_part(base, part), part, grow, feather, stage)
            if bool(area.any()):
                name, own = f"{region} of the {giver}", strength * person.strengths[part]
                steerings.append(Steering(name, person.parts[part], person.unconditioned, area * free, own))
        free = free * (1 - area)
    return steerings[::-1]


def unsteered(regions_from: Mapping[str, str], base: str, steerings: Sequence[Steering]) -> tuple[str, ...]:
    """What somebody else than `base` gives and none of `steerings` steers, such as "ears of the source"."""
    others = [giver for giver in GIVERS if giver not in (base, ANEW)]
    names = [f"{region} of the {regions_from[region]}" for region in _STEERED if regions_from[region] in others]
    return tuple(name for name in names if name not in {s.name for s in steerings})


def one_giver_each(representations: Sequence[PartTokens]) -> tuple[dict[str, PartTokens], dict[str, str]]:
    """For `steer_regions`: giver -> person, and region -> giver, of people of whom each gives regions of their own.

    Raises ValueError when two give the same region, and for a part that is not a region, such as the whole "face".
    """
    regions = {PART_OF[region]: region for region in _STEERED}
    people = {f"representation {number}": person for number, person in enumerate(representations, 1)}
    giver_of = dict.fromkeys(REGIONS, TARGET)
    for giver, person in people.items():
        for part in person.parts:
            if part not in regions:
                raise ValueError(
                    f"{giver} gives '{part}', which lies over several regions; with overlap 'upper one' give only "
                    f"{', '.join(regions)}, or set overlap to 'add'"
                )
            if giver_of[regions[part]] != TARGET:
                raise ValueError(
                    f"{giver_of[regions[part]]} and {giver} both give '{part}'; with overlap 'upper one' one person "
                    "gives each part, so set it to 0 at one of them, or set overlap to 'add'"
                )
            giver_of[regions[part]] = giver
    return people, giver_of


def _with_part(base: FaceParts, part: str) -> FaceParts:
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
