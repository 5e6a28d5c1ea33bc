"""How strongly a person gives each part: 0 not at all, and up to a limit of the caller's."""

from __future__ import annotations

from collections.abc import Mapping


def check_strength(part: str, strength: float, highest: int = 1) -> None:
    """Raises ValueError for a strength outside 0..`highest`, NaN included."""
    if not 0 <= strength <= highest:
        raise ValueError(f"the strength of '{part}' is {strength}; it goes from 0 to {highest}")


def positive_strengths(strengths: Mapping[str, float], consequence: str) -> dict[str, float]:
    """The parts of a strength above 0, in their order.

    Raises ValueError when there are none; the error ends with `consequence`: what follows from it and what to do.
    """
    positive = {part: strength for part, strength in strengths.items() if strength > 0}
    if not positive:
        raise ValueError(f"every part has the strength 0, so {consequence}")
    return positive
