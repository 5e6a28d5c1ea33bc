"""FaceParse and RegionAssemble inside real hosts, their picture and mask into the host's own encoders."""

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
    base: Path = tmp_path_factory.mktemp("assembled")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    return measure(host, "region_assemble.py", base, str(base / "photo.png"))


def test_models_are_listed_once_they_lie_in_the_folder(figures: dict[str, Any]) -> None:
    assert figures["none yet"] == ["built-in", "none (masks only)"]
    assert figures["listed"] == ["built-in", "tiny", "none (masks only)"]


def test_the_built_in_parser_gives_all_parts_without_a_file(figures: dict[str, Any]) -> None:
    assert {"hair", "ears", "neck", "head", "body", "glasses", "background"} <= set(figures["built-in parts"])
    assert 0.05 < figures["built-in hair"] < 0.4 and figures["cover report"] == ""


def test_a_model_folder_and_a_mask_add_their_parts(figures: dict[str, Any]) -> None:
    assert {"hair", "ears", "neck", "head", "background", "left_eye", "skin"} <= set(figures["parts"])
    assert figures["masked parts"] == ["hair"] and figures["preview"] == [1, 256, 256, 3]


def test_a_face_swap_is_grey_inside_and_untouched_outside(figures: dict[str, Any]) -> None:
    assert 0.1 < figures["mask share"] < 0.5 and figures["mask values"] == [0, 1]
    assert figures["change outside"] == 0 and figures["grey inside"] == 0
    assert figures["seen"] == [1, 256, 256, 3]
    assert figures["report"].startswith("target: ears, hair, background\nsource: eyebrows, eyes, nose, lips, skin")
    assert figures["head share"] > figures["mask share"]


def test_the_hosts_encoders_take_picture_and_mask(figures: dict[str, Any]) -> None:
    assert figures["latent"] == [1, 4, 32, 32] == figures["concat"]
    assert figures["inpaint mask"][-2:] == [256, 256]


def test_what_is_missing_is_said_in_a_sentence(figures: dict[str, Any]) -> None:
    assert figures["neither"].startswith("there is neither a model nor a mask")
    assert "Face Parse has no model 'deleted.onnx'. Put an .onnx file or a model folder into" in figures["gone"]


def test_a_face_that_nobody_parsed_is_parsed_where_its_hair_is_needed(figures: dict[str, Any]) -> None:
    assert figures["unparsed"] > figures["mask share"]
    assert abs(figures["hair mask"] - figures["built-in hair"]) < 0.02 and figures["own hair"] == 0
    assert figures["everyone's"] > figures["hair mask"]
