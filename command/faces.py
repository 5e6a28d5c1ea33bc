"""Faces of photographs named on the command line."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ..detectors.builtin import BuiltinDetector
from ..detectors.find import find_faces
from ..detectors.parts import FaceParts
from ..detectors.selection import choose
from .photo import load_photo


class Finder:
    """Finds the faces of photographs; every file is read and searched once."""

    def __init__(self, order: str, threshold: float) -> None:
        self._order, self._threshold = order, threshold
        self._detector = BuiltinDetector()
        self._known: dict[Path, Tensor] = {}
        self._found: dict[Path, tuple] = {}

    def __call__(self, spec: str) -> FaceParts:
        """`PHOTO` or `PHOTO#N` -> its faces, with number N chosen (0 when not given).

        Raises FileNotFoundError or ValueError naming the file when it is no picture or has no such face.
        """
        path, index = split_spec(spec)
        if path not in self._known:
            self._known[path] = load_photo(path)
            self._found[path] = find_faces(self._known[path], self._detector, threshold=self._threshold)
        try:
            return choose(self._known[path], self._found[path], self._order, index)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def split_spec(spec: str) -> tuple[Path, int]:
    """`PHOTO#N` -> path and number; a file whose own name holds a # is taken whole."""
    name, mark, number = spec.rpartition("#")
    if mark and number.isdigit() and not Path(spec).exists():
        return Path(name), int(number)
    return Path(spec), 0
