"""FaceX's table of tasks, row by row as figure 4 and section 3.5 of the paper have it."""

from __future__ import annotations

import pytest
from face_part_fusion.detectors.parts import PART_CHOICES
from face_part_fusion.fusion.regions.areas import LAYERS
from face_part_fusion.fusion.regions.tasks import GIVERS, PART_OF, REGIONS, SHOWN, TASKS, regions_from

FACE = {"eyebrows", "eyes", "nose", "lips", "skin"}
HEAD = FACE | {"hair", "ears"}
ALL = HEAD | {"background"}
# task: what the source gives, whose picture is the canvas, how it is shown, what is made anew
PAPER = {
    "attribute edit": (set(), "target", "paste", "regions"),
    "face swap": (FACE, "target", "mask out", "regions"),
    "head swap": (HEAD, "target", "greyscale", "regions"),
    "reenact": (ALL, "source", "paste", "everything"),
    "animate": (ALL, "source", "paste", "everything"),
    "inpaint": (ALL, "source", "paste", "user"),
}


@pytest.mark.parametrize("name", PAPER)
def test_each_row_is_the_papers(name: str) -> None:
    task = TASKS[name]
    assert (set(task.source_regions), task.base, task.shown, task.mask) == PAPER[name]
    assert task.cut_rim == (name in ("face swap", "head swap"))


def test_there_are_no_other_rows_and_every_region_is_a_part() -> None:
    assert set(TASKS) == set(PAPER)
    assert set(REGIONS) == ALL == set(LAYERS) and len(REGIONS) == len(ALL)
    assert all(part in PART_CHOICES for part in PART_OF.values())


def test_a_single_region_can_be_overridden_and_the_rest_stays_the_tasks() -> None:
    giver_by_region = regions_from("face swap", {"hair": "source 2", "lips": "target", "nose": "anew"})
    assert giver_by_region == {
        "eyebrows": "source", "eyes": "source", "nose": "anew", "lips": "target", "ears": "target", "skin": "source",
        "hair": "source 2", "background": "target",
    }  # fmt: skip


def test_what_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'face lift' is not a task; choose one of attribute edit, face swap"):
        regions_from("face lift")
    with pytest.raises(ValueError, match="overrides names 'mouth', which is not a region"):
        regions_from("face swap", {"mouth": "source"})
    with pytest.raises(ValueError, match="the override of hair is 'me'; choose one of target, source, source 2"):
        regions_from("face swap", {"hair": "me"})


def test_an_attribute_edit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="attribute edit has nothing to edit: set at least one of"):
        regions_from("attribute edit", {"eyes": "target"})
    assert regions_from("attribute edit", {"eyes": "anew"})["eyes"] == "anew"


def test_givers_and_ways_to_show_are_named_once() -> None:
    assert len(set(GIVERS)) == len(GIVERS) and len(set(SHOWN)) == len(SHOWN)
