"""FaceX's tasks as data: who gives which region, and what the inpainting reference shows of it.

Source: FaceX (Han et al. 2024, arXiv 2401.00551), figure 4 and section 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# FaceX's eight regions, by its names, and the part whose area each of them is. The lips come with the inner mouth.
REGIONS = ("eyebrows", "eyes", "nose", "lips", "ears", "skin", "hair", "background")
PART_OF: Mapping[str, str] = {region: region for region in REGIONS} | {"eyebrows": "brows", "lips": "mouth"}
FEATURES = ("eyebrows", "eyes", "nose", "lips")
FACE_REGIONS = (*FEATURES, "skin")
HEAD_REGIONS = (*FACE_REGIONS, "ears", "hair")

TARGET, SOURCE, ANEW = "target", "source", "anew"
MORE_SOURCES = ("source 2", "source 3", "source 4")
GIVERS = (TARGET, SOURCE, *MORE_SOURCES, ANEW)

SHOWN = ("paste", "greyscale", "mask out")


@dataclass(frozen=True)
class Task:
    """One row of the table.

    `source_regions`: what the source gives; the target gives the rest.
    `base`: whose picture is the canvas, "target" or "source".
    `shown`: of SHOWN, how the reference shows a region that is not the base's own.
    `cut_rim`: whether the dilated rim around such a region is masked out, too.
    `mask`: what is made anew: "regions" (those regions, dilated), "everything", or "user" (the user's own mask).
    `alternative`: what works for a face that lacks a region of this task.
    """

    source_regions: tuple[str, ...]
    base: str = TARGET
    shown: str = "mask out"
    cut_rim: bool = True
    mask: str = "regions"
    alternative: str = ""

    def giver(self, region: str) -> str:
        return SOURCE if region in self.source_regions else TARGET


_KEEP_REGION = "set that region to 'target'"
TASKS: Mapping[str, Task] = {
    "attribute edit": Task((), shown="paste", cut_rim=False, alternative=_KEEP_REGION),
    "face swap": Task(FACE_REGIONS, alternative="the task 'inpaint' needs no regions, only a mask"),
    "head swap": Task(HEAD_REGIONS, shown="greyscale", alternative="the task 'face swap' works without hair and ears"),
    "reenact": Task(REGIONS, SOURCE, "paste", cut_rim=False, mask="everything", alternative=_KEEP_REGION),
    "animate": Task(REGIONS, SOURCE, "paste", cut_rim=False, mask="everything", alternative=_KEEP_REGION),
    "inpaint": Task(REGIONS, SOURCE, "paste", cut_rim=False, mask="user", alternative=_KEEP_REGION),
}


def task_of(name: str) -> Task:
    """The task of that name. Raises ValueError when there is none."""
    if name not in TASKS:
        raise ValueError(f"'{name}' is not a task; choose one of {', '.join(TASKS)}")
    return TASKS[name]


def regions_from(name: str, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Region -> giver, for every one of REGIONS: the task's own choice unless `overrides` has another.

    `name`: of TASKS.
    `overrides`: region -> giver (of GIVERS); the giver "anew" is nobody: the model makes the region up.

    Raises ValueError for another task, region or giver, and for an attribute edit without any region to edit.
    """
    task, overrides = task_of(name), overrides or {}
    for region, giver in overrides.items():
        if region not in REGIONS:
            raise ValueError(f"overrides names '{region}', which is not a region; choose out of {', '.join(REGIONS)}")
        if giver not in GIVERS:
            raise ValueError(f"the override of {region} is '{giver}'; choose one of {', '.join(GIVERS)}")
    giver_by_region = {region: overrides.get(region, task.giver(region)) for region in REGIONS}
    if not task.source_regions and set(giver_by_region.values()) == {TARGET}:
        raise ValueError(
            f"{name} has nothing to edit: set at least one of {', '.join(REGIONS)} to 'source', or to 'anew' to let "
            "the model make it up"
        )
    return giver_by_region


def regions_of(giver: str, giver_by_region: Mapping[str, str]) -> tuple[str, ...]:
    """The regions that `giver` gives, in the order of REGIONS."""
    return tuple(region for region in REGIONS if giver_by_region[region] == giver)
