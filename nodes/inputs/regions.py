"""The inputs that say who gives which region, for the nodes that share FaceX's tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from comfy_api.latest import io

from ...fusion.regions.tasks import ANEW, GIVERS, MORE_SOURCES, SOURCE, TARGET
from .schema import field

OWN = "task's own"
Person = TypeVar("Person")


def overrides_of(regions: Mapping[str, str]) -> dict[str, str]:
    """Region -> its giver, of those that are not left to the task."""
    return {region: giver for region, giver in regions.items() if giver != OWN}


def region_choice(region: str) -> object:
    return field(
        io.Combo, region, options=[OWN, *GIVERS], default=OWN,
        tooltip=f"Who gives the {region}, whatever the task says: '{TARGET}' keeps the target's, '{SOURCE}' and its "
        f"further numbers take that person's, '{ANEW}' leaves it to the model.",
    )  # fmt: skip


def giver_choice(name: str, tooltip: str) -> object:
    """Who gives something that is no region; appended to nodes that exist, so optional."""
    choices = [OWN, *(giver for giver in GIVERS if giver != ANEW)]
    return field(io.Combo, name, options=choices, default=OWN, optional=True, tooltip=tooltip)


def further_person(name: str, wire: Any, what: str) -> object:
    """`name`: of fusion.regions.tasks.MORE_SOURCES. `what`: that which this person gives."""
    tooltip = f"One more person, for {what} set to '{name}'."
    return wire.Input(name.replace(" ", "_"), optional=True, tooltip=tooltip)


def people_of(target: Person, source: Person | None, others: Sequence[Person | None]) -> dict[str, Person]:
    """Giver, by its name in fusion.regions.tasks, -> who is wired in for it. `others`: in the order of MORE_SOURCES."""
    named = {TARGET: target, SOURCE: source, **dict(zip(MORE_SOURCES, others, strict=True))}
    return {giver: person for giver, person in named.items() if person is not None}
