"""What the region assembler is to do, settled and checked before any pixel is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...detectors.parts import FaceParts
from .areas import HEAD, LAYERS
from .tasks import ANEW, FEATURES, HEAD_REGIONS, MORE_SOURCES, REGIONS, SHOWN, SOURCE, TARGET, regions_from, task_of

# What stands where pixels are masked out; the paper does not say, and its figure 4 shows white.
FILLS: Mapping[str, float | None] = {"grey": 0.5, "black": 0.0, "white": 1.0, "target kept": None}


@dataclass(frozen=True)
class Plan:
    """How every picture is assembled.

    `task`: its name. `base`: the giver whose picture is the canvas. `regions_from`: region -> giver, of every region.
    `changes`: (region or "head", giver) of what is not the base's, bottom to top. `shown`: of SHOWN. `cut`: whether
    the rim is masked out, too. `fill`: the value of masked-out pixels, None: they stay. `mask`: of Task.mask.
    """

    task: str
    base: str
    regions_from: Mapping[str, str]
    changes: tuple[tuple[str, str], ...]
    shown: str
    cut: bool
    fill: float | None
    mask: str

    def given(self, giver: str) -> tuple[str, ...]:
        return tuple(region for region in REGIONS if self.regions_from[region] == giver)


def make_plan(name: str, has_source: bool, overrides: Mapping[str, str] | None, shown: str | None, fill: str) -> Plan:
    """Raises ValueError for a choice that does not exist and an attribute edit that edits nothing."""
    task, found = task_of(name), regions_from(name, overrides)
    if shown is not None and shown not in SHOWN:
        raise ValueError(f"shown is '{shown}'; choose one of {', '.join(SHOWN)}")
    if fill not in FILLS:
        raise ValueError(f"fill is '{fill}'; choose one of {', '.join(FILLS)}")
    base = base_of(name, has_source)
    if base != task.base:
        # Nobody but the target is there: what the task takes from the source is the target's own.
        found = {region: giver if region in (overrides or {}) else base for region, giver in found.items()}
    shown = shown or task.shown
    changes = _changes(found, base)
    return Plan(name, base, found, changes, shown, task.cut or shown == "mask out", FILLS[fill], task.mask)


def base_of(name: str, has_source: bool) -> str:
    """Whose picture is the canvas, "target" or "source": to inpaint without a source is to inpaint the target."""
    task = task_of(name)
    return TARGET if task.mask == "user" and not has_source else task.base


def wired(
    plan: Plan, target: FaceParts, source: FaceParts | None, others: Sequence[FaceParts | None]
) -> dict[str, FaceParts]:
    """Giver -> its pictures, for the base and all who give something.

    Raises ValueError when one of them is not there, or has another number of pictures than the target (one serves
    all).
    """
    named = {TARGET: target, SOURCE: source, **dict(zip(MORE_SOURCES, others, strict=False))}
    found = {}
    for giver in dict.fromkeys([plan.base, *plan.regions_from.values()]):
        if giver == ANEW:
            continue
        parts = named.get(giver)
        if parts is None:
            what = "the whole picture" if giver == plan.base else ", ".join(plan.given(giver))
            instead = "" if giver == plan.base else f", or set {what} to '{TARGET}'"
            raise ValueError(
                f"{plan.task} takes {what} from the {giver}, but nobody is wired into {giver.replace(' ', '_')}; wire "
                f"a Face Part Detect in{instead}"
            )
        found[giver] = parts
    counts = {giver: len(parts) for giver, parts in (found | {TARGET: target}).items()}
    if len({count for count in counts.values() if count != 1}) > 1:
        came = ", ".join(f"{giver} {count}" for giver, count in counts.items())
        raise ValueError(f"the batches do not match ({came} pictures); use one picture for all, or equally many")
    return found


def _changes(found: Mapping[str, str], base: str) -> tuple[tuple[str, str], ...]:
    """A whole head is laid as one, with what is worn on it; so is a face, whose skin holds its features."""
    layers: list[tuple[int, str, str]] = []
    for giver in dict.fromkeys(found.values()):
        regions = [region for region in REGIONS if found[region] == giver]
        if giver == base:
            continue
        if set(HEAD_REGIONS) <= set(regions):
            regions = [HEAD, *(region for region in regions if region not in HEAD_REGIONS)]
        elif "skin" in regions:
            regions = [region for region in regions if region not in FEATURES]
        layers += [(LAYERS.index("skin" if region == HEAD else region), region, giver) for region in regions]
    return tuple((region, giver) for _, region, giver in sorted(layers))
