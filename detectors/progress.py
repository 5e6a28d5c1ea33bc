"""Progress callbacks; one may raise to cancel, as a stop button does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
# Called with the number of steps done and the number of all steps.
Progress = Callable[[int, int], None]


def counted(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """The items in their order. Calls `progress` after each one."""
    for done, item in enumerate(items, 1):
        yield item
        if progress is not None:
            progress(done, len(items))


def counter(total: int, progress: Progress | None) -> Callable[[int], None]:
    """A function that takes the number of steps just done, out of `total`, and calls `progress`."""
    done = 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps
        if progress is not None:
            progress(done, total)

    return count


def stages(progress: Progress | None, count: int) -> list[Progress | None]:
    """One Progress for each of `count` loops that follow one another; each fills an equal share of the whole."""
    return [share(progress, number, 1, count) for number in range(count)]


def share(progress: Progress | None, first: int, count: int, total: int) -> Progress | None:
    """The Progress of a loop over `count` of `total` items, after `first` of them were done."""
    if progress is None:
        return None
    return lambda done, steps: progress(first * steps + done * count, total * steps)
