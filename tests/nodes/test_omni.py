"""OmniRepresentationCondition in real hosts, on the checkpoints that people have: no controller, three families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    base: Path = tmp_path_factory.mktemp("omni")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    return measure(request.param, "omni.py", base, str(base / "photo.png"))


@pytest.mark.parametrize("family, channels", [("sd15", 4), ("sdxl", 4), ("flow", 16)])
def test_a_face_swap_keeps_the_photograph_outside_the_mask_exactly(measured, family, channels):
    found = measured[family]
    assert found["shapes"] == [[1, 160, 160, 3], [1, 160, 160], [1, channels, 20, 20]]
    assert found["outside"] == 0 and found["kept"] > 0.2
    assert found["inside"] > 0.01
    assert found["untouched"] == 0 and found["pasted"] > 0.01
    assert found["start"] == 0


@pytest.mark.parametrize("family", ["sd15", "sdxl", "flow"])
def test_the_model_that_came_in_is_left_alone_and_inpainting_models_are_served(measured, family):
    assert measured[family]["parent"]
    assert measured[family]["conditioned"] == ["concat_latent_image", "concat_mask"]
    assert measured[family]["report"].splitlines()[0] == "target: ears, hair, background"


def test_an_inpainting_model_gets_mask_and_picture_whether_prompts_go_through_the_node_or_past_it(measured):
    found = measured["prompts past the node"]
    assert found["apart"] == 0 and found["counts"] > 0.1


def test_single_regions_are_edited(measured):
    report = measured["attribute edit"]["report"]
    assert "source: lips" in report and "anew: nose" in report
    assert 0 < measured["attribute edit"]["area"] < measured["sd15"]["kept"]


def test_a_head_swap_parses_the_faces_by_itself(measured):
    swap = measured["head swap"]
    assert "source: eyebrows, eyes, nose, lips, ears, skin, hair" in swap["report"]
    assert "not protected" not in swap["report"] and swap["area"] > 1.2 * swap["face"]


def test_inpaint_makes_the_white_of_the_mask_anew(measured):
    assert measured["inpaint"]["area"] == 50 * 50


@pytest.mark.parametrize(
    "what, words",
    [
        ("reenact", "needs a FaceX controller"),
        ("prompt", "positive is not wired in"),
        ("nobody", "nobody is wired into source"),
        ("encoder", "clip_vision is not"),
    ],
)
def test_what_is_missing_is_named(measured, what, words):
    assert words in measured["refusals"][what]
