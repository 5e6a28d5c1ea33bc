"""What a language has to say about a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Words = Mapping[str, Mapping[str, str]]
# Subject of a sentence of the caption -> the attributes that it tells, in their order.
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "head": ("yaw", "pitch", "roll"),
    "face": ("face_shape", "jaw", "expression", "covered"),
    "hair": ("hair_length", "hair_colour", "fringe"),
    "person": ("beard", "moustache", "spectacles", "hat"),
    "eyes": ("eye_openness", "eye_shape", "eye_distance", "gaze", "iris_colour"),
    "brows": ("brow_thickness", "brow_arch", "brow_gap"),
    "nose": ("nose_length", "nose_width"),
    "mouth": ("mouth_open", "mouth_width", "lip_thickness", "lip_colour", "teeth"),
    "skin": ("skin_tone",),
    "light": ("light_side", "light_height", "light_hardness"),
    "picture": ("sharpness", "size"),
}


@dataclass(frozen=True)
class Language:
    """`tags`: attribute -> word -> a short phrase; words that need no mention are absent.

    `predicates`: attribute -> word -> what follows the subject in a full sentence.
    `subjects`: the keys of SUBJECTS in this language.
    `hair`: the phrase for length and colour of hair, with {length} and {colour}, which `lengths` and `colours` give.
    `perhaps`: goes before a phrase that is not certain.
    `hedged_verbs`: beginnings of predicates after which it goes instead.
    `opening`, `features`, `ending`: what a sentence opens with, what goes before the features, and what ends it.
    `comma`, `last`, `stop`: between phrases, before the last one, after a sentence.
    `portrait`: opens a prompt.
    """

    tags: Words
    predicates: Words
    subjects: Mapping[str, str]
    hair: str
    lengths: Mapping[str, str]
    colours: Mapping[str, str]
    perhaps: str
    hedged_verbs: tuple[str, ...]
    opening: str
    features: str
    ending: str
    comma: str
    last: str
    stop: str
    space: str
    portrait: str
    no_face: str
