"""FaceX's tasks as data: who gives which region, and what the inpainting reference shows of it.

Source: FaceX (Han et al. 2024, arXiv 2401.00551), figure 4 and section 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# FaceX's eight regions, by its names, and the part whose area each of them is. With the lips goes what lies between.
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

    `source`: the regions that the source gives; the rest is the target's. `base`: the picture that the reference
    starts from, "target" or "source". `shown`: how the reference shows a region that is not the base's own, of SHOWN.
    `cut`: whether the dilated rim around it is cut out, too. `mask`: what is made anew: "regions" (those regions,
    dilated), "everything", or "user" (the user's own mask). `instead`: what works where this task lacks a region.
    """

    source: tuple[str, ...]
    base: str = TARGET
    shown: str = "mask out"
    cut: bool = True
    mask: str = "regions"
    instead: str = ""

    def giver(self, region: str) -> str:
        return SOURCE if region in self.source else TARGET


_ANY = "set that region to 'target'"
TASKS: Mapping[str, Task] = {
    "attribute edit": Task((), shown="paste", cut=False, instead=_ANY),
    "face swap": Task(FACE_REGIONS, instead="the task 'inpaint' needs no regions, only a mask"),
    "head swap": Task(HEAD_REGIONS, shown="greyscale", instead="the task 'face swap' works without hair and ears"),
    "reenact": Task(REGIONS, base=SOURCE, shown="paste", cut=False, mask="everything", instead=_ANY),
    "animate": Task(REGIONS, base=SOURCE, shown="paste", cut=False, mask="everything", instead=_ANY),
    "inpaint": Task(REGIONS, base=SOURCE, shown="paste", cut=False, mask="user", instead=_ANY),
}


def task_of(name: str) -> Task:
    """The task of that name. Raises ValueError when there is none."""
    if name not in TASKS:
        raise ValueError(f"'{name}' is no task; choose one of {', '.join(TASKS)}")
    return TASKS[name]


def regions_from(name: str, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Region -> who gives it (of GIVERS), for every one of REGIONS: the task's own choice, or the override's.

    "anew": nobody, the model makes it up. Raises ValueError for another task, region or giver, and for an attribute
    edit without any region to edit.
    """
    task, given = task_of(name), dict(overrides or {})
    for region, giver in given.items():
        if region not in REGIONS:
            raise ValueError(f"overrides names '{region}', which is no region; choose out of {', '.join(REGIONS)}")
        if giver not in GIVERS:
            raise ValueError(f"the override of {region} is '{giver}'; choose one of {', '.join(GIVERS)}")
    found = {region: given.get(region, task.giver(region)) for region in REGIONS}
    if not task.source and set(found.values()) == {TARGET}:
        raise ValueError(
            f"{name} has nothing to edit: set at least one of {', '.join(REGIONS)} to 'source', or to 'anew' to let "
            "the model make it up"
        )
    return found
