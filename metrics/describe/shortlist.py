"""The photographs that fit, of which no more stay in memory than are wanted."""

from __future__ import annotations

from typing import Generic, TypeVar

from .choose import Fit

Item = TypeVar("Item")


class Shortlist(Generic[Item]):
    def __init__(self, most: int, closest: bool) -> None:
        """`most`: items that are kept, those that fit best; 0: all that fit.
        `closest`: whether the best of those that fail is kept as long as none fits."""
        self.most, self.closest = most, closest
        # (fit, number, item): of equals the first wins.
        self._fitting: list[tuple[Fit, int, Item]] = []
        self._failing: tuple[Fit, int, Item] | None = None
        self.count = 0

    def add(self, item: Item, fit: Fit) -> None:
        entry = (fit, self.count, item)
        self.count += 1
        if not fit.failed:
            self._fitting.append(entry)
            self._failing = None
            if self.most and len(self._fitting) > self.most:
                self._fitting.remove(max(self._fitting, key=_place))
        elif self.closest and not self._fitting:
            self._failing = min((each for each in (self._failing, entry) if each), key=_place)

    def items(self, best_first: bool) -> list[Item]:
        """In the order in which they were added, or the best first; empty where none fits and none is closest."""
        entries = self._fitting or [each for each in (self._failing,) if each]
        return [item for _, _, item in sorted(entries, key=_place if best_first else lambda entry: entry[1])]


def _place(entry: tuple[Fit, int, object]) -> tuple[int, float, int]:
    """The smaller, the better."""
    fit, number, _ = entry
    return len(fit.failed), -fit.score, number
