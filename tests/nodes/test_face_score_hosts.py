"""Face Score in every host: numbers, report and picture, with and without a recogniser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    base = tmp_path_factory.mktemp("face_score")
    file = Path(base / "portrait.png")
    Image.fromarray(data.astronaut()).save(file)
    return measure(request.param, "face_score.py", base, str(file))


def test_a_mouth_that_took_is_told_in_numbers_and_words(scored):
    own = scored["without"]
    assert own["numbers"]["taken"] > 50
    assert own["numbers"]["pose"] < 5 and own["numbers"]["light"] < 3 and own["numbers"]["psnr_outside"] > 50
    assert f"Mouth taken over: {own['numbers']['taken']:.1f}%" in own["report"]
    assert own["figures"][0]["figures"]["taken_mouth"] == own["numbers"]["taken"]
    assert "taken_eyes" not in own["figures"][0]["figures"]


def test_the_picture_shows_bars(scored):
    assert scored["without"]["picture"][0] == 1 and scored["without"]["picture"][2:] == [1024, 3]
    assert scored["without"]["picture"][1] > 600
    low, high = scored["without"]["range"]
    assert 0 <= low < 0.1 and 0.8 < high <= 1


def test_what_was_not_measured_is_nan_and_has_a_reason(scored):
    assert scored["without"]["numbers"]["identity"] is None
    assert "not measured: Person like the target: it needs a face recogniser" in scored["without"]["report"]
    batch = scored["batch"]
    assert batch["picture"][0] == 2
    assert "picture 2: not measured" in batch["report"] and "no face was found in the result" in batch["report"]
    assert batch["numbers"]["taken"] is not None


def test_of_a_film_some_frames_are_drawn_and_all_measured(scored):
    film = scored["film"]
    assert film["picture"][0] == 2 and len(film["figures"]) == 3 and "picture 3: " in film["report"]


def test_a_recogniser_in_the_hosts_folder_is_used_and_watched(scored):
    numbers = scored["recognised"]["numbers"]
    assert numbers["identity"] == pytest.approx(1, abs=1e-4) and numbers["taken"] == pytest.approx(100, abs=0.1)
    before, after = scored["stamps"]
    assert before == [] and len(after) == 1 and after[0][0].endswith("backbone.pth")
    assert scored["off"] == []


def test_nothing_to_compare_with_is_an_error(scored):
    assert "there is nothing to compare result with: wire" in scored["alone"]
