"""The photographs that a swap changes, and where the changed ones go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from .faces import split_spec

# Endings of the files that are written under the photograph's own name; others become PNGs.
_KEPT = {".png", ".jpg", ".jpeg", ".webp"}
# Cells of the progress bar, and letters of its line, which must not wrap.
_CELLS, _LINE = 24, 78


@dataclass(frozen=True)
class Target:
    """A photograph to change, PHOTO or PHOTO#N, and the file that the changed one is written to."""

    spec: str
    output: Path


def targets_of(specs: Sequence[str], output: str) -> list[Target]:
    """The targets of --target, each a photograph or a folder of them, and of -o.

    -o is a file for one photograph, and a folder for several, for a folder, or when it is one; the photographs keep
    their names there. Raises ValueError for a folder without pictures, a file for several targets, and names that
    would be written twice.
    """
    photos = [photo for spec in specs for photo in _photos(spec)]
    folder = Path(output)
    several = len(photos) > 1 or any(split_spec(spec)[0].is_dir() for spec in specs)
    if not several and not folder.is_dir() and not output.endswith(("/", "\\")):
        return [Target(photos[0], folder)]
    if folder.suffix and not folder.is_dir() or folder.is_file():
        raise ValueError(f"-o is {output}, one file, but there are {len(photos)} targets; name a folder")
    targets = [Target(photo, folder / _name(split_spec(photo)[0])) for photo in photos]
    _check_names(targets)
    return targets


def _photos(spec: str) -> list[str]:
    """One --target as photographs: itself, or those in the folder, by name. A number after # goes for each."""
    path, index = split_spec(spec)
    if not path.is_dir():
        return [spec]
    known = Image.registered_extensions()
    photos = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in known)
    if not photos:
        raise ValueError(f"--target {spec} is a folder without pictures; name one with PNG, JPEG or WebP files")
    return [f"{photo}#{index}" if index is not None else str(photo) for photo in photos]


def _name(photo: Path) -> str:
    return photo.name if photo.suffix.lower() in _KEPT else f"{photo.stem}.png"


def _check_names(targets: Sequence[Target]) -> None:
    first: dict[str, Target] = {}
    for target in targets:
        # Windows and macOS take names that differ in their case for one.
        other = first.setdefault(str(target.output).lower(), target)
        if other is not target:
            raise ValueError(
                f"{other.spec} and {target.spec} would both be written to {target.output}; change them one after the "
                "other, into different folders"
            )


class Bar:
    """A progress bar on the standard error, when that is a terminal and there is more than one target."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = total > 1 and sys.stderr.isatty()

    def show(self, done: int, name: str) -> None:
        """`name`: the photograph that is worked on."""
        if self._shown:
            full = _CELLS * done // self._total
            bar = "#" * full + "-" * (_CELLS - full)
            text = f"[{bar}] {done} of {self._total}  {name}"[:_LINE]
            print(f"\r{text:<{_LINE}}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for other lines."""
        if self._shown:
            print(f"\r{'':<{_LINE}}\r", end="", file=sys.stderr, flush=True)
