"""FaceDescribe, FaceCompare and FaceChoose inside real hosts."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_faces: Any) -> Any:
    photo = shared_faces / "photos" / "skimage_astronaut.png"
    return measure(request.param, "describe.py", tmp_path_factory.mktemp("describe"), str(photo))


def test_a_line_for_each_picture_and_numbers_for_each_face(figures):
    first, mirrored, grey = figures["text"]
    assert "hair" in first and grey == "no face" and figures["numbers"][2] is None
    assert figures["numbers"][0]["spectacles"]["word"] == "none" and figures["numbers"][0]["smile"]["word"] == "smile"
    assert "picture 1: too uncertain to be named" in figures["report"]


def test_a_mirror_image_has_the_other_sides_and_the_same_shape(figures):
    left, right, _ = figures["numbers"]
    for name in ("yaw", "roll", "light_side", "gaze"):
        error = {"yaw": 4, "roll": 2, "light_side": 3, "gaze": 0.15}[name]
        assert left[name]["number"] == pytest.approx(-right[name]["number"], abs=error), name
    for name in ("hair_colour", "smile", "teeth", "mouth_open", "skin_tone", "beard"):
        assert left[name]["word"] == right[name]["word"], name


def test_a_language_model_is_told_the_facts_and_checked(figures):
    assert figures["said"] == ["A person with a beard.", "A person with a beard.", "no face"]
    assert "Measured, and to be relied on: portrait photo of a person" in figures["asked"]
    assert figures["image"] == [1, 448, 672, 3]
    assert "picture 1: the answer says 'a beard', but beard was measured as none" in figures["contradicted"]


def test_a_clip_that_cannot_write_is_refused(figures):
    assert figures["silent"] == "clip wrote nothing; raise max_length, or unplug clip"
    assert "which encodes text but cannot write it" in figures["deaf"]


def test_the_hosts_own_language_model_is_shown_the_picture_and_answers(figures):
    if figures["answers"] is None:
        pytest.skip("this ComfyUI has no Qwen3-VL")
    texts, pictures_in_questions = figures["answers"]
    assert texts[0] and texts[1] and texts[2] == "no face"
    assert pictures_in_questions == [[[1, 448, 672, 3]], [[1, 448, 672, 3]]]


def test_a_darker_picture_changes_the_skin_and_not_the_shape(figures):
    changed = {change["attribute"]: change for change in figures["changes"][0]}
    assert changed["skin_tone"]["after"]["number"] < changed["skin_tone"]["before"]["number"] - 10
    assert not changed["skin_tone"]["meant"] and "darker (not meant)" in figures["compared"]
    assert not {"yaw", "nose_width", "mouth_width", "eye_distance", "face_shape", "smile"} & set(changed)
    assert figures["not meant"] == sum(not c["meant"] for own in figures["changes"][:2] for c in own)
    assert "there is no face before" in figures["compared"]


def test_a_picture_beside_itself_has_no_change(figures):
    text, not_meant = figures["same"]
    assert not_meant == 0 and text.count("nothing changed") == 2


def test_the_pictures_that_fit_are_kept(figures):
    fits = {wish: own for wish, own in figures["chosen"].items()}
    count, shape, told, number = fits["eyes open"]
    assert count == number == 2 and shape == [2, 256, 256, 3] and "picture 3 of 3: no face" in told
    assert fits["smiling, yaw > 80"][0] == 1 and "yaw > 80: yaw is" in fits["smiling, yaw > 80"][2]
    assert fits["no hat"][0] == 1 and fits["no spectacles"][0] == 2 and fits["lit from the left"][0] == 1


def test_a_folders_photographs_lie_on_one_canvas(figures):
    count, shape, told, number = figures["folder"]
    assert count == number == 2 and shape == [2, 512, 512, 3]
    assert "one.png: fits" in told and "two.jpg: fits" in told and "three.png: no face" in told


def test_a_folder_without_faces_and_a_picture_that_is_too_large_are_named(figures):
    assert figures["walls"].startswith("folder has no face that could fit (wall.png: no face); give photographs")
    assert "closest" not in figures["walls"] and "Face Part Detect" not in figures["walls"]
    assert "wall.png cannot be read as a picture" in figures["too large"]


def test_a_composite_that_asks_for_another_photograph_says_how_to_find_one(figures):
    assert "Face Choose finds photographs that suit this target with the conditions: yaw " in figures["advice"]
    assert "picture 1 of 3: fits" in figures["suited"]
