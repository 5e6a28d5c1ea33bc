"""Photographs -> aligned faces on the disk, each read once, by any worker alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...detectors.builtin import BuiltinDetector
from ...detectors.parser_builtin import BuiltinParser
from .manifest import Progress, work_through
from .person import BadPicture, as_file, read_person
from .shard import as_json, write_whole
from .workers import Workers

# Photographs that a worker reads in a row.
_TOGETHER = 16


@dataclass(frozen=True)
class Align:
    """Photographs to be read: the `path` of each, and the file `stored`, without its ending, that it becomes.

    `size`: side of an aligned face in pixels. `spectacles`: whether people who wear some are read.
    """

    photographs: tuple[tuple[Path, Path], ...]
    size: int
    spectacles: bool

    def __call__(self) -> int:
        """Returns how many photographs there were. Files that exist already stay."""
        for path, stored in self.photographs:
            if person_file(stored).exists() or reason_file(stored).exists():
                continue
            try:
                person = read_person(path, self.size, _detector(), parser(), self.spectacles)
                write_whole(person_file(stored), as_file(person))
            except BadPicture as bad:
                write_whole(reason_file(stored), as_json(str(bad)))
        return len(self.photographs)


def align(
    photographs: Sequence[Path],
    stored: Sequence[Path],
    size: int,
    spectacles: bool,
    workers: Workers,
    progress: Progress,
) -> None:
    """Aligned faces of all photographs that have none yet; see `Align`."""
    both = list(zip(photographs, stored, strict=True))
    jobs = [Align(tuple(both[i : i + _TOGETHER]), size, spectacles) for i in range(0, len(both), _TOGETHER)]
    work_through(workers, jobs, "photographs", len(photographs), progress)


def person_file(stored: Path) -> Path:
    return stored.with_name(stored.name + ".npz")


def reason_file(stored: Path) -> Path:
    return stored.with_name(stored.name + ".json")


@lru_cache(maxsize=1)
def _detector() -> BuiltinDetector:
    return BuiltinDetector()


@lru_cache(maxsize=1)
def parser() -> BuiltinParser:
    return BuiltinParser()
