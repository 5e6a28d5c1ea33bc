"""Stamps of files that a node reads: the host compares them between runs, and after a change the node runs again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

# Path, time of the last change in ns, and size in bytes.
Stamp = tuple[str, int, int]


def stamps(find: Callable[[], Iterable[str]]) -> tuple[Stamp, ...]:
    """A stamp for every file that `find` returns, and for every file below every folder that it returns.

    Empty when `find` raises ValueError or OSError: the node itself reports what is missing when it runs.
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
    status = os.stat(file)
    return file, status.st_mtime_ns, status.st_size
