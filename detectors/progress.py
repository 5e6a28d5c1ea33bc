"""Telling whoever asked how far a loop has come; what is called may raise, which stops the loop (a stop button)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
# Called with how much is done and how much there is in all.
Progress = Callable[[int, int], None]


def counted(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """The items in their order; after each one `progress` is told."""
    for done, item in enumerate(items, 1):
        yield item
        if progress is not None:
            progress(done, len(items))


def stages(progress: Progress | None, count: int) -> list[Progress | None]:
    """One Progress for each of `count` loops that follow one another; each fills an equal share of the whole."""
    return [None if progress is None else _stage(progress, number, count) for number in range(count)]


def _stage(progress: Progress, number: int, count: int) -> Progress:
    return lambda done, total: progress(number * total + done, count * total)
