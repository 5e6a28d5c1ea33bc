"""Conditioned and unconditioned are told by name, whatever the guider; what does not fit a sampling is said."""

from __future__ import annotations

from typing import Any

import pytest
from face_part_fusion.injection.sampling.conditionings import which_unconditioned
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "guiders.py", tmp_path_factory.mktemp("guiders"))


@pytest.fixture(scope="module", params=usable_hosts())
def steered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "steered_guiders.py", tmp_path_factory.mktemp("steered"))


def entries(mark: str, **more: Any) -> list[dict[str, Any]]:
    return [{"uuid": mark, **more}]


def test_lists_are_told_by_the_guiders_names_wherever_they_stand():
    named = {"positive": entries("a"), "middle": entries("b"), "negative": entries("c"), "empty_negative": entries("d")}
    order = [named["negative"], named["middle"], named["positive"], named["empty_negative"]]
    assert which_unconditioned(order, named) == (1, 0, 0, 1)
    assert which_unconditioned([named["negative"]], named) == (1,) and which_unconditioned(
        [named["positive"]], named
    ) == (0,)
    assert which_unconditioned([None, named["positive"]], named) == (0, 0)


def test_a_list_that_was_copied_is_told_by_its_first_entry_although_areas_of_others_were_added():
    area = {"uuid": "a", "area": (1, 1, 0, 0)}
    named = {"positive": [area], "negative": [*entries("c"), dict(area)]}
    copied = [[dict(entry) for entry in own] for own in (named["negative"], named["positive"])]
    assert which_unconditioned(copied, named) == (1, 0)


def test_without_names_the_second_of_a_call_is_unconditioned():
    assert which_unconditioned([entries("x"), entries("y")], {}) == (0, 1)
    assert which_unconditioned([entries("x"), entries("y"), None], {"positive": None}) == (0, 1, 0)


@pytest.mark.parametrize("kind", "AB")
def test_guiders_with_an_order_of_their_own_guide_as_the_usual_one(figures: dict[str, Any], kind: str):
    found = figures["guiders"][kind]
    assert found["guided"] > 0.1
    same = ("dual", "nested", "perpendicular", "alone", "area")
    assert max(found[name] for name in same) <= 1e-4, found


@pytest.mark.parametrize("controller", ("ip-adapter", "facex"))
def test_controllers_too_tell_the_negative_by_its_name(steered: dict[str, Any], controller: str):
    found = steered[controller]
    assert found["guided"] > 0.1
    assert max(found[name] for name in ("dual", "nested", "perpendicular", "alone")) <= 1e-4, found


@pytest.mark.parametrize(
    ("case", "words"),
    {
        "counts": "Addition Inject: the sampler's latent has 3 pictures and the model was made for 2",
        "half": "Addition Inject: the sampler's latent has 1 pictures",
        "text": "positive holds text 2048 wide, which SDXL has; this model is SD1.5 and reads text 768 wide",
        "negative": "negative holds text 640 wide, which another family has", "gated": "which SDXL has",
        "black": "mask has no white", "black, released": "mask has no white", "outside": "lies wholly outside",
        "never": "end_percent is 1.0 and start_percent 1.0; end_percent must be the larger one",
        "nan": "start_percent is nan", "strength": "strength is nan", "part": "mouth is nan",
    }.items(),
)  # fmt: skip
def test_what_would_do_nothing_or_the_wrong_thing_is_refused(figures: dict[str, Any], case: str, words: str):
    assert words in figures["refusals"][case]


def test_released_mode_takes_no_notice_of_text_of_another_width(figures: dict[str, Any]):
    assert figures["refusals"]["ignored"] == ""
