"""What an edit changed."""

from __future__ import annotations

import pytest
from face_part_fusion.metrics.describe.attribute import Attribute
from face_part_fusion.metrics.describe.compare import check_parts, compare, is_meant, report


def face(**words):
    return {name: Attribute(name, word, number, "units", sure, 0.1) for name, (word, number, sure) in words.items()}


BEFORE = face(mouth_open=("closed", 0.0, 0.9), skin_tone=("light", 45.0, 0.9), brow_arch=("average", 0.15, 0.9))
AFTER = face(mouth_open=("open", 0.4, 0.9), skin_tone=("light", 41.0, 0.9), brow_arch=("average", 0.16, 0.9))


def test_changes_are_told_with_their_amount_and_whether_they_were_meant():
    changes = compare(BEFORE, AFTER, ("mouth",))
    assert report(changes, BEFORE, AFTER).split("\n") == [
        "skin tone: light, 4 units darker (not meant)",
        "mouth open: closed -> open, +0.4 units (meant)",
        "unchanged: brow arch",
    ]


def test_a_word_that_flips_without_a_change_of_the_number_is_none():
    after = {**BEFORE, **face(mouth_open=("slightly open", 0.01, 0.9))}
    assert compare(BEFORE, after) == []
    assert report([], BEFORE, BEFORE).startswith("nothing changed by more than the error")


def test_what_cannot_be_measured_any_more_is_said():
    assert "not measured afterwards: mouth open" in report([], BEFORE, face(skin_tone=("light", 45.0, 0.9)))


@pytest.mark.parametrize("name, exchanged, meant", [
    ("eye_openness", "eyes", True), ("eye_openness", "left_eye", True), ("mouth_open", "lips", True),
    ("expression", "mouth", True), ("hair_colour", "head", True), ("nose_width", "mouth", False),
    ("light_side", "head", False), ("light_side", "skin", False), ("skin_tone", "skin", True),
])  # fmt: skip
def test_what_an_exchange_is_meant_to_change(name, exchanged, meant):
    assert is_meant(name, (exchanged,)) == meant


def test_a_name_that_is_no_part_is_an_error():
    with pytest.raises(ValueError, match="'chin' in exchanged is not a part"):
        check_parts(("eyes", "chin"))
