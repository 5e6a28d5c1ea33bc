"""The plan of the region assembler: every choice is made and checked before any pixel is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...detectors.parts import FaceParts
from .areas import HEAD, LAYERS
from .tasks import ANEW, FEATURES, HEAD_REGIONS, MORE_SOURCES, SHOWN, SOURCE, TARGET, regions_from, regions_of, task_of

# Value of masked-out pixels, 0..1; None: they stay. The paper does not name one, its figure 4 shows white.
FILLS: Mapping[str, float | None] = {"grey": 0.5, "black": 0.0, "white": 1.0, "target kept": None}


@dataclass(frozen=True)
class Plan:
    """How every picture is assembled.

    `task`: its name.
    `base`: the giver whose picture is the canvas.
    `regions_from`: region -> giver, for every region.
    `changes`: (region or "head", giver) of all that is not the base's, bottom to top.
    `shown`: of SHOWN.
    `cut_rim`: whether the rim is masked out, too.
    `fill`: the value of masked-out pixels, 0..1; None: they stay.
    `mask`: of Task.mask.
    """

    task: str
    base: str
    regions_from: Mapping[str, str]
    changes: tuple[tuple[str, str], ...]
    shown: str
    cut_rim: bool
    fill: float | None
    mask: str

    def regions_of(self, giver: str) -> tuple[str, ...]:
        return regions_of(giver, self.regions_from)


def make_plan(name: str, has_source: bool, overrides: Mapping[str, str] | None, shown: str | None, fill: str) -> Plan:
    """The plan of the task `name`.

    `has_source`: whether a source is wired in.
    `overrides`: region -> giver instead of the task's own.
    `shown`: of SHOWN; None: the task's own.
    `fill`: of FILLS.

    Raises ValueError for a choice that does not exist and an attribute edit that edits nothing.
    """
    task, giver_by_region = task_of(name), regions_from(name, overrides)
    if shown is not None and shown not in SHOWN:
        raise ValueError(f"shown is '{shown}'; choose one of {', '.join(SHOWN)}")
    if fill not in FILLS:
        raise ValueError(f"fill is '{fill}'; choose one of {', '.join(FILLS)}")
    base = base_of(name, has_source)
    if base != task.base:
        # Only the target is there: the regions that the task takes from the source are the target's own.
        giver_by_region = {
            region: giver if region in (overrides or {}) else base for region, giver in giver_by_region.items()
        }
    shown = shown or task.shown
    cut_rim = task.cut_rim or shown == "mask out"
    changes = _changes(giver_by_region, base)
    return Plan(name, base, giver_by_region, changes, shown, cut_rim, FILLS[fill], task.mask)


def base_of(name: str, has_source: bool) -> str:
    """Whose picture is the canvas, "target" or "source"; inpaint without a source inpaints the target."""
    task = task_of(name)
    return TARGET if task.mask == "user" and not has_source else task.base


def parts_by_giver(
    plan: Plan, target: FaceParts, source: FaceParts | None, others: Sequence[FaceParts | None]
) -> dict[str, FaceParts]:
    """Giver -> pictures, for the base and everybody who gives a region.

    `others`: "source 2", "source 3" and so on.

    Raises ValueError when one of them is not there, or has another number of pictures than the target; one picture
    serves all.
    """
    everybody = {TARGET: target, SOURCE: source, **dict(zip(MORE_SOURCES, others, strict=False))}
    needed = {}
    for giver in dict.fromkeys([plan.base, *plan.regions_from.values()]):
        if giver == ANEW:
            continue
        parts = everybody.get(giver)
        if parts is None:
            gift = "the whole picture" if giver == plan.base else ", ".join(plan.regions_of(giver))
            alternative = "" if giver == plan.base else f", or set {gift} to '{TARGET}'"
            raise ValueError(
                f"{plan.task} takes {gift} from the {giver}, but nobody is wired into {giver.replace(' ', '_')}; wire "
                f"the detected face of that person in{alternative}"
            )
        needed[giver] = parts
    counts = {giver: len(parts) for giver, parts in (needed | {TARGET: target}).items()}
    if len({count for count in counts.values() if count != 1}) > 1:
        came = ", ".join(f"{giver} {count}" for giver, count in counts.items())
        raise ValueError(f"the batches do not match ({came} pictures); use one picture for all, or equally many")
    return needed


def _changes(giver_by_region: Mapping[str, str], base: str) -> tuple[tuple[str, str], ...]:
    """A whole head is laid as one, with all that is worn on it; so is a face, whose skin contains its features."""
    layers: list[tuple[int, str, str]] = []
    for giver in dict.fromkeys(giver_by_region.values()):
        if giver == base:
            continue
        regions = list(regions_of(giver, giver_by_region))
        if set(HEAD_REGIONS) <= set(regions):
            regions = [HEAD, *(region for region in regions if region not in HEAD_REGIONS)]
        elif "skin" in regions:
            regions = [region for region in regions if region not in FEATURES]
        layers += [(LAYERS.index("skin" if region == HEAD else region), region, giver) for region in regions]
    return tuple((region, giver) for _, region, giver in sorted(layers))
