"""The head swap's nodes in real hosts, without a model and with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.hosts import Host
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    host: Host = request.param
    base: Path = tmp_path_factory.mktemp("heads")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    return measure(host, "head_swap.py", base, str(base / "photo.png"))


def test_a_layout_is_made_of_faces_that_were_not_parsed(figures: dict[str, Any]):
    assert figures["outputs"] == 9 and figures["sum of masks"] < 1e-5 and figures["neck before"]


def test_without_a_model_there_is_a_picture_and_the_rest_stops_with_a_sentence(figures: dict[str, Any]):
    assert figures["plain"] == [1, 256, 256, 3] and 0.1 < figures["changed"] < 0.8 and figures["outside"] == 0
    assert all(figures["blocked"]) and "needs model, vae, positive and negative" in figures["message"]
    assert "the heads look in directions that differ" in figures["report"] or figures["report"]


def test_with_a_model_head_and_body_stay_and_the_photograph_comes_back(figures: dict[str, Any]):
    assert figures["latent"] == [1, 4, 16, 16] == figures["concat"] and figures["crop"] == [1, 128, 128, 3]
    for name in ("head cells", "body cells"):
        count, gap = figures[name]
        # To the bit it is in test_semantic_mix_hosts; here the encoder rounds as the memory's layout has it.
        assert count > 5 and gap < 1e-4, figures[name]
    assert figures["whole"] == [1, 256, 256, 3] and figures["whole outside"] == 0 and figures["returned"] == 0


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_an_inpainting_models_own_channels_are_set_and_count(figures: dict[str, Any], family: str):
    model = figures["inpainting"][family]
    assert model["head"] < 1e-4 and model["counts"] > 1e-3 and model["prompts past the node"] == 0, model


def test_what_is_missing_is_said(figures: dict[str, Any]):
    assert "vae and positive and negative not" in figures["half wired"]
    assert figures["no face"].startswith("head: picture 1 of 1 has no face")
