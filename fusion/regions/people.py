"""The people of an assembly: who they are in each picture, and which regions their faces lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ...detectors.parser_regions import cover_notes
from ...detectors.parts import Face, FaceParts, PartMissing
from ..batches import index_in
from .areas import HEAD, has_region
from .plan import Plan
from .tasks import FEATURES, PART_OF, REGIONS, TASKS

# Left alone wherever they stay the base's; skin and background are what a change blends into.
PROTECTED = tuple(region for region in REGIONS if region not in ("skin", "background"))


@dataclass(frozen=True, eq=False)
class Person:
    """One picture (H, W, 3) and its chosen face, None where it has none."""

    picture: Tensor
    face: Face | None


# Giver -> who that is in one picture.
People = Mapping[str, Person]


def people_in(parts_by_giver: Mapping[str, FaceParts], i: int) -> dict[str, Person]:
    """The givers in the i-th picture."""
    return {giver: _person(parts, i) for giver, parts in parts_by_giver.items()}


def check_faces(plan: Plan, parts_by_giver: Mapping[str, FaceParts], count: int) -> None:
    """Raises ValueError when regions are laid but in none of the `count` pictures everybody has a face."""
    pictures = [people_in(parts_by_giver, i) for i in range(count)]
    if not plan.changes or any(all(person.face for person in people.values()) for people in pictures):
        return
    faceless = [giver for giver, parts in parts_by_giver.items() if parts.nobody] or list(parts_by_giver)
    raise ValueError(
        f"{plan.task} needs a face in the {' and the '.join(faceless)}, and there is none; choose another picture or "
        "face, or use the task 'inpaint' with a mask of your own"
    )


def unprotected_regions(plan: Plan, people: People) -> list[str]:
    """Regions that would stay the base's but are not known, such as "the target's hair"; none where nothing is laid."""
    base = people[plan.base].face
    if base is None or not plan.changes or any(person.face is None for person in people.values()):
        return []
    kept = [region for region in plan.regions_of(plan.base) if region in PROTECTED]
    return [f"the {plan.base}'s {region}" for region in kept if not has_region(base, region)]


def empty_regions(plan: Plan, people: People) -> list[str]:
    """Given regions without an area, such as "the source's ears".

    A region that is not known does not count where it may lie within a face or head that is given.
    """
    empty = []
    for region, giver in plan.regions_from.items():
        face = people[giver].face if giver in people and giver != plan.base else None
        if face is None or face.shows(PART_OF[region]):
            continue
        within_face = region in FEATURES and plan.regions_from["skin"] == giver
        within_head = face.has(HEAD) or (region == "background" and has_region(face, HEAD))
        if face.has(PART_OF[region]) or not (within_face or within_head):
            empty.append(f"the {giver}'s {region}")
    return empty


def covered_regions(plan: Plan, people: People) -> list[str]:
    """What covers a part that somebody gives, such as "the source's nose is 60 % covered by hair"."""
    notes = []
    for giver, person in people.items():
        parts = [PART_OF[region] for region in plan.regions_of(giver)] if giver != plan.base else []
        notes += cover_notes(person.face, parts, f"the {giver}'s") if person.face else []
    return notes


def region_missing(plan: Plan, giver: str, face: Face, region: str) -> PartMissing:
    """The error for a region that `face` does not have: why, who can give it, and what works without it."""
    needed = ("hair", "skin") if region in (HEAD, "background") else (PART_OF[region],)
    part = next((part for part in needed if not face.has(part)), needed[0])
    try:
        face.region(part)
    except PartMissing as problem:
        return PartMissing(
            f"{plan.task} needs '{part}' of the {giver}, but {problem}. Or do without: {TASKS[plan.task].alternative}"
        )
    return PartMissing(f"{plan.task} needs the {region} of the {giver}")


def _person(parts: FaceParts, i: int) -> Person:
    at = index_in(parts, i)
    return Person(parts.pictures[at], parts.face(at))
