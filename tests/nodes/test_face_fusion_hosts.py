"""Face Fusion in real hosts, against its equations written out."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def host(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def sd15(host: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(host, "face_fusion.py", tmp_path_factory.mktemp("fusion"), "sd15", patience=1800)


@pytest.fixture(scope="module")
def sdxl(host: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(host, "face_fusion.py", tmp_path_factory.mktemp("fusion"), "sdxl", patience=1800)


@pytest.fixture(params=("sd15", "sdxl"))
def figures(request: pytest.FixtureRequest, host: Any) -> dict[str, Any]:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def together(host: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(host, "face_fusion_together.py", tmp_path_factory.mktemp("together"), patience=1800)


def test_the_model_gives_what_the_equations_give(figures):
    far = {name: pair for name, pair in figures["parity"].items() if pair[0] > 1e-4 or pair[1] < 100 * pair[0]}
    assert len(figures["parity"]) in (5, 10) and not far


def test_order_and_number_of_equal_references_do_not_count(figures):
    found = dict(figures["equal"])
    assert found.pop("several act") > 1e-4
    assert max(found.values()) < 1e-5, found


def test_where_nobody_is_nothing_changes_by_a_bit(figures):
    exact = dict(figures["exact"])
    assert exact.pop("sibling differs") > 1e-4
    assert len(exact) == 8 and set(exact.values()) == {0.0}, exact


def test_a_person_does_not_count_in_another_ones_region(figures):
    assert figures["influence"]["first"] == 0.0 < 1e-4 < figures["influence"]["second"]


def test_batches_areas_and_guiders_give_what_the_equations_give(sd15):
    found = dict(sd15["batches"])
    assert found.pop("area acts") > 1e-3
    assert max(found.values()) < 1e-4, found


def test_keys_and_values_are_gone_after_each_sampling(sd15):
    found = sd15["memory"]
    assert found["bytes"] > 0 and found["runs"] == 0 and found["grown, MB"] < 8, found


def test_references_pass_the_unet_as_often_as_asked(sd15):
    assert sd15["calls"] == {
        "every step": 4, "every second": 2, "clean": 1, "late": 2, "three at once": 4, "up": 4,
    }  # fmt: skip


def test_what_does_not_fit_is_said(sd15):
    said = sd15["refusals"]
    for name, words in {
        "shape": "another shape", "count": "regions of 3 pictures", "second node": "wire all people into one",
        "guidance": "behind this one", "prompt": "text 640 wide", "span": "end must be the larger one",
        "family": "of the same family", "channels": "the VAE of the same checkpoint",
    }.items():  # fmt: skip
        assert words in said[name], (name, said[name])


def test_other_patches_count_as_they_would_alone(together):
    far = {name: gaps for name, gaps in together["parity"].items() if gaps[0] > 1e-4 or gaps[1] < 1e-3}
    assert len(together["parity"]) == 6 and not far


def test_the_order_of_the_nodes_does_not_count(together):
    far = {name: gaps for name, gaps in together["either order"].items() if gaps[0] > 1e-4 or min(gaps[1:]) < 1e-3}
    assert len(together["either order"]) == 5 and not far


def test_held_regions_stay_to_the_bit(together):
    assert together["held"] == {"masked fusion": 0.0, "semantic mix": 0.0}


def test_merged_tokens_and_tiles_work_for_people_everywhere_and_are_refused_for_regions(together):
    for name, found in together["tokens"].items():
        assert found["acts"] > 1e-3 and "leave that node out" in found["region"] or name == "tiled", (name, found)
    assert "nothing says where the piece lies" in together["tokens"]["tiled"]["region"]
    assert together["tokens"]["tiled"]["acts"] > 1e-3


def test_an_adapter_behind_the_trained_mechanism_says_what_to_do(together):
    assert "put the IPAdapter node first" in together["added"]
