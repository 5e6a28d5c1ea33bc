"""Which faces fit words or ranges, such as "eyes open, yaw < 15, no spectacles"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from .attribute import CERTAIN
from .describe import MEASURED_BY_COLOUR, PART_OF, Description
from .words import LANGUAGES

# Attributes of which "less than" means the amount, whatever its sign. "More than" and a range keep the sign.
_ANGLES = ("yaw", "pitch", "roll")
# What people write -> attribute and the words that fit.
_ALIASES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "eyes open": ("eye_openness", ("narrowed", "open", "wide open")),
    "eyes closed": ("eye_openness", ("closed",)),
    "mouth open": ("mouth_open", ("slightly open", "open")),
    "mouth closed": ("mouth_open", ("closed",)),
    "teeth": ("teeth", ("visible",)),
    "smiling": ("smile", ("smile",)),
    "smile": ("smile", ("smile",)),
    "neutral": ("expression", ("neutral",)),
    "frontal": ("yaw", ("frontal",)),
    "spectacles": ("spectacles", ("spectacles",)),
    "glasses": ("spectacles", ("spectacles",)),
    "beard": ("beard", ("beard",)),
    "moustache": ("moustache", ("moustache",)),
    "hat": ("hat", ("hat",)),
    "fringe": ("fringe", ("fringe",)),
    "bald": ("hair_length", ("bald",)),
    "sharp": ("sharpness", ("sharp",)),
    "blurred": ("sharpness", ("blurred",)),
    "even light": ("light_side", ("even",)),
    "soft light": ("light_hardness", ("soft",)),
    "hard light": ("light_hardness", ("hard",)),
    "covered": ("covered", ("something",)),
    "large": ("size", ("large",)),
}  # fmt: skip
# Degrees by which the head of a reference may be turned away from the target's: parts turn with it that far.
_ALIKE = {"yaw": 15, "pitch": 12}
_NO = re.compile(r"^(?:(?:no|not|without)\s+|没有|没|不)", re.IGNORECASE)
_COMPARED = re.compile(r"^(\w+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)$")
_RANGE = re.compile(r"^(\w+)\s*[=:]?\s*(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)$")
_NAMED = re.compile(r"^(\w+)\s*[=:]\s*(.+)$")


@dataclass(frozen=True)
class Condition:
    """One condition on one attribute.

    `text`: as it was written.
    `words`: those that fit, or, where `negated`, those that do not; none where the number counts.
    `low`, `high`: the range of the number. `unsigned`: of its amount, whatever its sign.
    """

    text: str
    name: str
    words: tuple[str, ...] = ()
    negated: bool = False
    low: float = float("-inf")
    high: float = float("inf")
    unsigned: bool = False

    def fit(self, description: Description) -> float | None:
        """0..1, how surely the face fits, above 0.5 where it does; None where the attribute was not measured."""
        attribute = description.get(self.name)
        if attribute is None:
            return None
        if self.words:
            fits = (attribute.word in self.words) != self.negated
            return 0.5 + attribute.confidence / 2 if fits else 0.5 - attribute.confidence / 2
        number = abs(attribute.number) if self.unsigned else attribute.number
        return 1.0 if self.low <= number <= self.high else 0.0


@dataclass(frozen=True)
class Fit:
    """How one face fits all conditions. `score`: 0..1, the least sure of them. `failed`: what does not fit, and why."""

    score: float
    failed: tuple[str, ...]


def conditions(text: str) -> list[Condition]:
    """Conditions, separated by commas, semicolons or new lines.

    Raises ValueError for one that is not understood, and for none.
    """
    pieces = [piece.strip() for piece in re.split(r"[,;\n，；、]", text) if piece.strip()]
    if not pieces:
        raise ValueError(
            "conditions is empty; write what the faces should be like, such as: eyes open, yaw < 15, no spectacles"
        )
    return [_condition(piece) for piece in pieces]


def fit_of(description: Description, wishes: list[Condition]) -> Fit:
    score, failed = 1.0, []
    for wish in wishes:
        own = wish.fit(description)
        attribute = description.get(wish.name)
        if own is None or attribute is None:
            # Every photograph in colour has a tone of skin.
            grey = wish.name in MEASURED_BY_COLOUR and "skin_tone" not in description
            failed.append(f"{wish.text}: not measured{', as the photograph is black and white' if grey else ''}")
            score = 0.0
        else:
            score = min(score, own)
            if own <= 0.5:
                failed.append(f"{wish.text}: {wish.name} is {attribute.word} ({attribute.number:.3g} {attribute.unit})")
    return Fit(score, tuple(failed))


def suiting(target: Description) -> str:
    """Conditions that find references for a target: heads turned alike, lit alike, and sharp."""
    wishes = [
        f"{name} {target[name].number - reach:.0f}..{target[name].number + reach:.0f}"
        for name, reach in _ALIKE.items()
        if name in target
    ]
    side = target.get("light_side")
    if side is not None and side.confidence >= CERTAIN:
        wishes.append("even light" if side.word == "even" else f"lit from the {side.word}")
    return ", ".join([*wishes, "sharp"])


def _condition(text: str) -> Condition:
    if match := _COMPARED.match(text):
        name, sign, limit = match[1].lower(), match[2], float(match[3])
        _known(name, text)
        low, high = (float("-inf"), limit) if sign[0] == "<" else (limit, float("inf"))
        return Condition(text, name, low=low, high=high, unsigned=name in _ANGLES and sign[0] == "<" and limit > 0)
    if match := _RANGE.match(text):
        _known(match[1].lower(), text)
        low, high = sorted((float(match[2]), float(match[3])))
        return Condition(text, match[1].lower(), low=low, high=high)
    plain = text.lower()
    if match := _NAMED.match(plain):
        _known(match[1], text)
        if match[2] not in _words_of(match[1]):
            raise ValueError(f"'{text}' in conditions: {match[1]} is one of {', '.join(sorted(_words_of(match[1])))}")
        return Condition(text, match[1], (match[2],))
    for negated, phrase in ((False, plain), (True, _NO.sub("", plain))):
        if phrase in phrases() and (not negated or phrase != plain):
            name, words = phrases()[phrase]
            return Condition(text, name, words, negated)
    raise ValueError(
        f"'{text}' in conditions is not understood; write a phrase such as {', '.join(list(_ALIASES)[:8])}, "
        "grey hair, lit from the left, no beard; a comparison such as yaw < 15; a range such as yaw -40..-10; or an "
        f"attribute and its word, such as hair_length: long. Attributes: {', '.join(PART_OF)}"
    )


def _known(name: str, text: str) -> None:
    if name not in PART_OF:
        raise ValueError(f"'{text}' in conditions: there is no attribute '{name}'; there are {', '.join(PART_OF)}")


@cache
def phrases() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Phrase in small letters -> attribute and words: the tags of every language, and the aliases."""
    own_words: dict[str, tuple[str, tuple[str, ...]]] = {}
    for language in LANGUAGES.values():
        for name, own in language.tags.items():
            for word, phrase in own.items():
                bare = re.sub(r"^(?:an?|the) ", "", phrase.lower())
                own_words.update({phrase.lower(): (name, (word,)), bare: (name, (word,))})
    return {**own_words, **_ALIASES}


@cache
def _words_of(name: str) -> frozenset[str]:
    english = LANGUAGES["English"]
    return frozenset(english.tags.get(name, {})) | frozenset(english.predicates.get(name, {})) | {"none"}
