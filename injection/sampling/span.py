"""In which part of a sampling run a patch acts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Levels:
    """Noise levels (sigmas), both included."""

    highest: float
    lowest: float

    def include(self, level: float) -> bool:
        return self.lowest <= level <= self.highest


@dataclass(frozen=True)
class Span:
    """`start`, `end`: 0..1 of a sampling run. `inputs`: what a user calls the two, for the message.

    Raises ValueError unless the end comes after the start.
    """

    start: float = 0.0
    end: float = 1.0
    inputs: tuple[str, str] = ("start", "end")

    def __post_init__(self) -> None:
        # Written so that NaN is refused too.
        if not self.start < self.end:
            start, end = self.inputs
            raise ValueError(f"{end} is {self.end} and {start} {self.start}; {end} must be the larger one")

    @property
    def whole(self) -> bool:
        return self.start <= 0 and self.end >= 1

    def levels(self, percent_to_sigma: Callable[[float], Any]) -> Levels | None:
        """The noise levels of the span, None for the whole run. `percent_to_sigma`: 0..1 -> noise level."""
        if self.whole:
            return None
        # A schedule may start a rounding error above the level that a host gives for 0.
        highest = math.inf if self.start <= 0 else float(percent_to_sigma(self.start))
        return Levels(highest, float(percent_to_sigma(self.end)))


WHOLE_RUN = Span()
