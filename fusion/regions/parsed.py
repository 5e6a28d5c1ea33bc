"""The people of an assembly, parsed where they lack a region that landmarks never give."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parser_regions import parsed_where
from ...detectors.parts import Face, FaceParts
from ...detectors.progress import Progress, stages
from .areas import HEAD, has_region
from .plan import Plan
from .tasks import REGIONS

# What landmarks never give of REGIONS and "head". Ears and hair lie above all others: a base keeps them on top, and
# what they cover on a giver is not brought along.
_ABOVE_ALL = ("ears", "hair")
_PARSED = (HEAD, *_ABOVE_ALL, "background")


def lacking_regions(face: Face, regions: Collection[str]) -> list[str]:
    """Those of the `regions` that a face does not have and that landmarks never give."""
    return [region for region in _PARSED if region in regions and not has_region(face, region)]


def regions_looked_up(plan: Plan, giver: str, every_region: bool = False) -> set[str]:
    """The regions, of REGIONS and "head", that an assembly needs to know on the faces of `giver`.

    `every_region`: whether a controller encodes all regions of everybody who gives one, laid or not, as FaceX does.
    """
    laid = {region for region, whose in plan.changes if giver in (plan.base, whose)}
    if every_region and (giver == plan.base or plan.regions_of(giver)):
        laid.update(REGIONS)
    return laid.union(_ABOVE_ALL) if laid else laid


def parsed_people(
    plan: Plan, people: Mapping[str, FaceParts], parser: Callable[[], BuiltinParser], *, every_region: bool = False,
    progress: Progress | None = None,
) -> dict[str, FaceParts]:  # fmt: skip
    """Giver -> faces, parsed where one lacks a region of `regions_looked_up` that landmarks never give.

    `parser`: gives the built-in parser; called only where a face is parsed.
    """
    return {
        giver: parsed_where(
            parts,
            partial(lacking_regions, regions=regions_looked_up(plan, giver, every_region)),
            parser,
            progress=stage,
        )
        for (giver, parts), stage in zip(people.items(), stages(progress, len(people)), strict=True)
    }
