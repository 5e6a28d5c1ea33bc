"""Inputs of the nodes that share FaceX's tasks: the task, who gives which region, and the people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from comfy_api.latest import io

from ...fusion.regions.assemble import DILATE
from ...fusion.regions.tasks import ANEW, GIVERS, MORE_SOURCES, REGIONS, SOURCE, TARGET, TASKS
from .schema import field

OWN = "task's own"
Person = TypeVar("Person")


def overrides_of(regions: Mapping[str, str]) -> dict[str, str]:
    """Region -> its giver, without the regions that are left to the task."""
    return {region: giver for region, giver in regions.items() if giver != OWN}


def task_inputs(tooltip: str) -> list[Any]:
    """The task, then a choice for every region."""
    task = field(io.Combo, "task", options=list(TASKS), default="face swap", tooltip=tooltip)
    return [task, *(_region_input(region) for region in REGIONS)]


def _region_input(region: str) -> Any:
    return field(
        io.Combo, region, options=[OWN, *GIVERS], default=OWN,
        tooltip=f"Who gives the {region}, whatever the task says: '{TARGET}' keeps the target's, '{SOURCE}' and its "
        f"further numbers take that person's, '{ANEW}' leaves it to the model.",
    )  # fmt: skip


def giver_input(name: str, tooltip: str) -> Any:
    """Who gives something that is not a region; appended to nodes that exist, so optional."""
    choices = [OWN, *(giver for giver in GIVERS if giver != ANEW)]
    return field(io.Combo, name, options=choices, default=OWN, optional=True, tooltip=tooltip)


def source_inputs(wire: Any, tooltip: str, what: str = "the regions that are") -> list[Any]:
    """The source and the further sources. `what`: what is taken from them, in their tooltips."""
    further = [
        wire.Input(name.replace(" ", "_"), optional=True, tooltip=f"One more person, for {what} set to '{name}'.")
        for name in MORE_SOURCES
    ]
    return [wire.Input("source", optional=True, tooltip=tooltip), *further]


def dilate_input() -> Any:
    return field(
        io.Float, "dilate", default=DILATE, min=0.0, max=2.0, step=0.01,
        tooltip="How far the mask reaches beyond the regions, in distances between the outer corners of the eyes. "
        "Raise it when the old outline shows through; lower it to keep more of the photograph.",
    )  # fmt: skip


def mask_input() -> Any:
    return io.Mask.Input(
        "mask", optional=True,
        tooltip="For inpaint: white is made anew. For every other task: only what is white may change. It lies on the "
        "target; for reenact, animate and inpaint it lies on the source where one is wired in.",
    )  # fmt: skip


def people_of(target: Person, source: Person | None, others: Sequence[Person | None]) -> dict[str, Person]:
    """Giver, by its name in fusion.regions.tasks, -> who is wired in for it. `others`: in the order of MORE_SOURCES."""
    named = {TARGET: target, SOURCE: source, **dict(zip(MORE_SOURCES, others, strict=True))}
    return {giver: person for giver, person in named.items() if person is not None}


def wired_people(people: Mapping[str, Person]) -> tuple[Person, Person | None, list[Person | None]]:
    """What `people_of` named: target, source and the further sources, None for those that are not wired in."""
    return people[TARGET], people.get(SOURCE), [people.get(name) for name in MORE_SOURCES]
