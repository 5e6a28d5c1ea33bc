"""Face Person and Person Latents in real hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    base = tmp_path_factory.mktemp("people")
    return measure(request.param, "face_people.py", base, str(portrait(base / "portrait.png")))


def portrait(file: Path) -> Path:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    Image.fromarray(data.astronaut()).save(file)
    return file


def test_photographs_are_cut_to_the_face_and_whole_pictures_to_the_unets_sizes(figures):
    found = figures["person"]
    assert found["sizes"] == [[1, 192, 192, 3]] * 3 + [[1, 192, 192, 3], [1, 128, 192, 3]]
    assert found["shown"] == [1, 192, 192, 3] and all(abs(at - 96) < 12 for at in found["middle"])


def test_what_is_looked_at_is_the_part_that_was_chosen(figures):
    seen = figures["person"]["looked at"]
    assert 0.1 < seen["head"] < 0.7 and 0.001 < seen["eyes"] < 0.05 and seen["all"]


def test_faces_of_a_layout_are_numbered_from_the_left_whatever_their_size(figures):
    found = figures["person"]
    assert found["everywhere"] == [1, 1, 1] and found["places"] == [[1, 256, 512]] * 2
    left, right = found["middles"]
    assert 80 < left < 180 and 330 < right < 430 and found["overlap"] < 0.5


def test_reference_latents_come_in_the_order_in_which_the_prompt_names_them(figures):
    found = figures["latents"]
    assert found["text"] == ("Image 1 shows the first person. Images 2 to 3 show the second person. They laugh.")
    assert found["encoded"] and found["pictures"] == [3, 192, 192, 3]
    assert found["latents"] == [0.0, 0.0, 0.0] and found["apart"] > 0
