"""What a node reads from disk, in a form that the host compares between runs: after a change the node runs again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

# Path, time of the last change in ns, and size in bytes.
Stamp = tuple[str, int, int]


def stamps(find: Callable[[], Iterable[str]]) -> tuple[Stamp, ...]:
    """A stamp for every file that `find` gives, and for every file below every folder.

    Nothing when `find` raises ValueError or OSError, as what is missing is said when the node runs.
    """
    try:
        return tuple(_stamp(file) for path in find() for file in _files(path))
    except (ValueError, OSError):
        return ()


def _files(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
    for folder, _, names in os.walk(path):
        yield from sorted(os.path.join(folder, name) for name in names)


def _stamp(file: str) -> Stamp:
    found = os.stat(file)
    return file, found.st_mtime_ns, found.st_size
