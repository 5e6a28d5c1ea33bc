"""One measured attribute of a face, and how a number becomes a word with a confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Confidence from which a word is given plainly, and from which it is given with "perhaps"; below, it is left out.
CERTAIN, PERHAPS = 0.75, 0.55
AVERAGE = "average"
# Ramps by which two numbers have to differ to be called different.
_STEP = 3.0


@dataclass(frozen=True)
class Attribute:
    """One attribute of one face.

    `name`: a key of `words.names`, such as "hair_colour".
    `word`: what the number amounts to, a key of the tables of words, such as "brown"; AVERAGE for what is unremarkable.
    `number`: what was measured, in `unit`.
    `unit`: "degrees", "share" (0..1), "eye widths", "L" (lightness 0..100) ...
    `confidence`: 0..1, how sure the word is. It is low near a limit between two words, and for what this view shows
    badly.
    `step`: the smallest difference between two numbers that is more than the error of the measurement.
    """

    name: str
    word: str
    number: float
    unit: str
    confidence: float
    step: float

    def as_json(self) -> Mapping[str, str | float]:
        return {
            "word": self.word, "number": round(self.number, 4), "unit": self.unit,
            "confidence": round(self.confidence, 3),
        }  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """Words along a number.

    `words`: one more than `limits`, from the smallest number to the largest.
    `limits`: the numbers between neighbouring words, ascending.
    `ramp`: distance from a limit at which a word is 73 % sure; three times as far, 95 %.
    """

    words: Sequence[str]
    limits: Sequence[float]
    ramp: float

    def read(self, name: str, number: float, unit: str, reliability: float = 1.0) -> Attribute:
        """`reliability`: 0..1, how well this view shows the attribute; it is a factor on the confidence."""
        place = sum(number >= limit for limit in self.limits)
        sure = 1.0
        if place > 0:
            sure *= _logistic((number - self.limits[place - 1]) / self.ramp)
        if place < len(self.limits):
            sure *= _logistic((self.limits[place] - number) / self.ramp)
        return Attribute(
            name, self.words[place], number, unit, sure * max(0.0, min(1.0, reliability)), _STEP * self.ramp
        )


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
