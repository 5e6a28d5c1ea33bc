"""Conditions in words and ranges."""

from __future__ import annotations

import pytest
from face_part_fusion.metrics.describe.attribute import Attribute
from face_part_fusion.metrics.describe.choose import conditions, fit_of, suiting

NUMBERS = {
    "yaw": ("turned left", -30.0), "eye_openness": ("open", 0.3), "spectacles": ("none", 0.0), "smile": ("smile", 0.05),
    "hair_colour": ("grey", 50.0), "light_side": ("left", -12.0), "sharpness": ("sharp", 4.0),
    "skin_tone": ("light", 45.0),
}  # fmt: skip
FACE = {name: Attribute(name, word, number, "unit", 0.9, 0.1) for name, (word, number) in NUMBERS.items()}


@pytest.mark.parametrize("text", [
    "eyes open", "smiling, no spectacles", "grey hair; lit from the left", "yaw < 35", "yaw > -40", "yaw < -20",
    "yaw < 0", "yaw -40..-10", "yaw -10..-40",
    "sharpness >= 4", "hair_colour: grey", "head turned to the left", "without glasses", "Smile\nNO hard light, yaw<40",
    "灰发", "左からの光",
])  # fmt: skip
def test_what_fits(text):
    wishes = [wish for wish in conditions(text) if wish.name in FACE]
    assert wishes and not fit_of(FACE, wishes).failed


@pytest.mark.parametrize("text, failed", [
    ("eyes closed", "eyes closed: eye_openness is open (0.3 unit)"),
    ("not smiling", "not smiling: smile is smile (0.05 unit)"),
    ("yaw < 15", "yaw < 15: yaw is turned left (-30 unit)"),
    ("yaw > 0", "yaw > 0: yaw is turned left (-30 unit)"),
    ("yaw 40..10", "yaw 40..10: yaw is turned left (-30 unit)"),
    ("yaw 10..40", "yaw 10..40: yaw is turned left (-30 unit)"),
    ("lit from the right", "lit from the right: light_side is left (-12 unit)"),
    ("no beard", "no beard: not measured"),
])  # fmt: skip
def test_what_does_not_fit_is_said(text, failed):
    assert fit_of(FACE, conditions(text)).failed == (failed,)


def test_a_black_and_white_photograph_neither_has_a_beard_nor_has_none():
    grey = {name: attribute for name, attribute in FACE.items() if name not in ("skin_tone", "hair_colour")}
    for text in ("beard", "no beard", "grey hair"):
        assert fit_of(grey, conditions(text)).failed == (f"{text}: not measured, as the photograph is black and white",)
    assert not fit_of(grey, conditions("smiling")).failed


@pytest.mark.parametrize("text, message", [
    ("", "conditions is empty"), ("handsome", "'handsome' in conditions is not understood"),
    ("ears > 3", "there is no attribute 'ears'"), ("hair_colour: green", "hair_colour is one of black, blond, brown"),
])  # fmt: skip
def test_what_is_not_understood_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        conditions(text)


def test_the_least_sure_condition_is_the_score():
    unsure = {**FACE, "smile": Attribute("smile", "smile", 0.02, "unit", 0.2, 0.1)}
    assert fit_of(unsure, conditions("smiling, eyes open")).score == pytest.approx(0.6)
    assert fit_of(unsure, conditions("not smiling, eyes open")).score == pytest.approx(0.4)


def test_the_conditions_that_suit_a_target_fit_the_target():
    text = suiting(FACE)
    assert text == "yaw -45..-15, lit from the left, sharp"
    assert not fit_of(FACE, conditions(text)).failed
