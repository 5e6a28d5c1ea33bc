"""A language model's answer beside what was measured."""

from __future__ import annotations

import pytest
from face_part_fusion.metrics.describe.ask import contradictions, prompt_for, sheet
from face_part_fusion.metrics.describe.attribute import Attribute
from support.drawn_people import drawn_person

WORDS = {
    "beard": "none", "spectacles": "spectacles", "hair_colour": "grey", "teeth": "hidden", "mouth_open": "closed",
    "yaw": "frontal",
}  # fmt: skip
FACE = {name: Attribute(name, word, 1.0, "units", 0.9, 0.1) for name, word in WORDS.items()}


@pytest.mark.parametrize("answer", [
    "A person with grey hair and spectacles, no beard, mouth closed.", "The person has no visible teeth.",
    "There is nothing to say.", "A face without a beard.", "一个人，灰发，戴眼镜，没有下巴胡须。",
])  # fmt: skip
def test_an_answer_that_agrees_has_no_contradiction(answer):
    assert contradictions(answer, FACE) == []


@pytest.mark.parametrize("answer, clashes", [
    ("A man with a beard.", ["'a beard'", "beard was measured as none"]),
    ("She wears no glasses.", ["'no glasses'", "spectacles was measured as spectacles"]),
    ("Blond hair, head turned to the left.", ["'blond hair'", "hair colour was measured as grey", "yaw was measured"]),
    ("金发。", ["'金发'"]),
])  # fmt: skip
def test_a_contradiction_names_the_phrase_and_the_measurement(answer, clashes):
    told = "\n".join(contradictions(answer, FACE))
    assert all(clash in told for clash in clashes), told


def test_what_was_not_certain_contradicts_nothing():
    unsure = {"beard": Attribute("beard", "none", 1.0, "units", 0.6, 0.1)}
    assert contradictions("A beard.", unsure) == []


def test_the_question_carries_what_was_measured():
    asked = prompt_for(FACE, "Describe the face. ")
    assert asked.startswith("Describe the face.\nMeasured, and to be relied on: portrait photo of a person, ")
    assert "grey hair" in asked and "spectacles" in asked


def test_the_model_sees_the_face_and_its_parts_undistorted():
    parts = drawn_person()
    seen = sheet(parts.pictures[0], parts.face(0))
    assert seen.shape == (1, 448, 672, 3) and 0 <= float(seen.min()) and float(seen.max()) <= 1
    assert float(seen[0, :, :448].std()) > 0.01 and float(seen[0, :, 448:].std()) > 0.01
