"""Descriptions in words."""

from __future__ import annotations

import re

import pytest
from face_part_fusion.metrics.describe.attribute import Attribute, Scale
from face_part_fusion.metrics.describe.describe import PART_OF
from face_part_fusion.metrics.describe.text import STYLES, TOKENS, text_of
from face_part_fusion.metrics.describe.words import LANGUAGES
from face_part_fusion.metrics.describe.words.language import SUBJECTS


def attribute(name, word, confidence=0.9, number=1.0):
    return name, Attribute(name, word, number, "unit", confidence, 0.1)


FACE = dict([
    attribute("yaw", "frontal"), attribute("hair_length", "short"), attribute("hair_colour", "grey", 0.6),
    attribute("spectacles", "none"), attribute("mouth_open", "closed", 0.5), attribute("nose_length", "average"),
    attribute("light_side", "left"),
])  # fmt: skip


def test_a_number_far_from_the_limits_is_sure_and_one_upon_a_limit_is_even():
    scale = Scale(("thin", "average", "thick"), (1.0, 2.0), 0.1)
    assert scale.read("n", 0.2, "cm").word == "thin" and scale.read("n", 0.2, "cm").confidence > 0.99
    assert scale.read("n", 1.0, "cm").word == "average"
    assert scale.read("n", 1.0, "cm").confidence == pytest.approx(0.5, abs=0.01)
    assert scale.read("n", 3.0, "cm", 0.5).confidence == pytest.approx(0.5, abs=0.01)


def test_what_is_not_certain_is_said_carefully_or_not_at_all():
    assert text_of(FACE, "tags") == "facing the camera, perhaps short grey hair, lit from the left"
    assert (
        text_of(FACE, "prompt for SD") == "portrait photo of a person, facing the camera, short hair, lit from the left"
    )


def test_a_sentence_a_caption_and_a_flux_prompt():
    assert text_of(FACE, "sentence") == (
        "Portrait of a person, facing the camera, lit from the left, with perhaps short grey hair."
    )
    assert text_of(FACE, "caption") == (
        "The head faces the camera. The hair is short and is perhaps grey. The person wears no spectacles. "
        "The nose is of average length. The light comes from the left."
    )
    assert text_of(FACE, "prompt for Flux") == (
        "Portrait photo of a person. The head faces the camera. The hair is short. The light comes from the left."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_words_for_the_same(language):
    english, own = LANGUAGES["English"], LANGUAGES[language]
    for table in ("tags", "predicates"):
        there, needed = getattr(own, table), getattr(english, table)
        assert {name: set(words) for name, words in there.items()} == {
            name: set(words) for name, words in needed.items()
        }
    assert set(own.subjects) == set(SUBJECTS)
    told = {name for names in SUBJECTS.values() for name in names}
    # Smiles are told by the expression.
    assert told | {"smile"} == set(PART_OF) and set(own.predicates) == told


@pytest.mark.parametrize("language", ["Chinese", "Japanese"])
@pytest.mark.parametrize("style", STYLES)
def test_no_english_is_left_in_other_languages(language, style):
    assert not re.search("[a-zA-Z]", text_of(FACE, style, language))


def test_a_caption_of_everything_stays_near_120_tokens():
    words = LANGUAGES["English"].predicates
    everything = dict(attribute(name, list(own)[0], 0.8) for name, own in words.items())
    text = text_of(everything, "caption")
    assert 80 < len(re.findall(r"[A-Za-z]+|[^\sA-Za-z]", text)) <= TOKENS


def test_another_style_or_language_is_an_error():
    with pytest.raises(ValueError, match="style is 'poem'; choose one of tags"):
        text_of(FACE, "poem")
    with pytest.raises(ValueError, match="language is 'Latin'; choose one of English"):
        text_of(FACE, "tags", "Latin")
