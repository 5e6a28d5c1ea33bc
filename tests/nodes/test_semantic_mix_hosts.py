"""SemanticMix in real hosts: against a plain loop, with a model that says noise, and through a real codec."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts
from support.paths import SHARED


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folders = [str(SHARED / "models"), str(SHARED / "faces" / "portraits")] if (SHARED / "models").is_dir() else []
    return measure(request.param, "semantic_mix.py", tmp_path_factory.mktemp("mix"), *folders)


@pytest.mark.parametrize("family", ["sd15", "flow"])
def test_every_sampler_gives_what_the_published_loop_gives(figures: dict[str, Any], family: str):
    loops = figures[family]["loops"]
    assert len(loops) == (30 if family == "sd15" else 12)
    assert max(loops.values()) < 1e-5, {name: gap for name, gap in loops.items() if gap >= 1e-5}


@pytest.mark.parametrize("family", ["sd15", "flow"])
def test_head_and_body_come_back_to_the_bit_from_a_model_that_says_noise(figures: dict[str, Any], family: str):
    assert all(all(each) for each in figures[family]["exact"].values()), figures[family]["exact"]


def test_portraits_come_through_a_codec_as_without_the_mix(figures: dict[str, Any]):
    if "codec" not in figures:
        pytest.skip("../shared/models and ../shared/faces are not there")
    found = figures["codec"]
    assert found["head"] >= 60 and found["body"] >= 60 and found["between"] < 30, found


def test_what_does_not_fit_is_said(figures: dict[str, Any]):
    said = figures["refusals"]
    assert "take both from one Head Layout" in said["masks"] and "nothing would be made anew" in said["covered"]
    assert said["size"].startswith("body is a latent of 8 x 8 cells and head one of 6 x 8")
