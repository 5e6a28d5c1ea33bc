"""Faces of photographs named on the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from torch import Tensor

from ..detectors.builtin import DEFAULT_THRESHOLD, BuiltinDetector
from ..detectors.find import Faces, find_faces
from ..detectors.parts import FACE_ORDERS, FaceParts
from ..detectors.selection import FaceMissing, choose
from .photo import Photo, read_photo


def add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--order", choices=FACE_ORDERS, default="large-small", help="how faces are numbered, from 0")
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD, help="least score of a face, 0..1")


class Finder:
    """Finds the faces of photographs. Every file is read and searched once, unless it is forgotten."""

    def __init__(self, order: str, threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(
                f"--threshold is {threshold:g}; it goes from above 0 to 1, and {DEFAULT_THRESHOLD:g} is usual"
            )
        self._order, self._threshold = order, threshold
        self.detector = BuiltinDetector()
        self._searched: dict[Path, tuple[Photo, Faces]] = {}

    def __call__(self, spec: str) -> FaceParts:
        """`PHOTO` or `PHOTO#N` -> its faces, with number N chosen (0 without N).

        Raises FileNotFoundError, ValueError or FaceMissing, each naming the file, when the file is missing, is not a
        picture or has no such face.
        """
        path, index = split_spec(spec)
        photo, faces = self.all(path)
        try:
            return choose(photo.picture, faces, self._order, index or 0)
        except FaceMissing as missing:
            advice = f"Lower --threshold (it is {self._threshold:g}), or use a larger or uncropped photograph"
            if faces[0]:
                advice = "Faces are numbered from 0: take one after the # that face-part-fusion detect shows"
            raise FaceMissing(f"{path}: {missing.fact}", advice) from None

    def all(self, path: Path) -> tuple[Photo, Faces]:
        """The photograph and its faces, possibly none, in no particular order."""
        if path not in self._searched:
            photo = read_photo(path)
            self._searched[path] = photo, find_faces(photo.picture, self.detector, threshold=self._threshold)
        return self._searched[path]

    def forget(self, path: Path) -> None:
        """Let go of a photograph, so that many of them need the memory of one."""
        self._searched.pop(path, None)


def faces_in_photo(picture: Tensor, detector: BuiltinDetector, order: str = "large-small") -> FaceParts:
    """The faces of one photograph (1, H, W, 3) float 0..1, sorted by `order` with the first one chosen."""
    return choose(picture, find_faces(picture, detector), order)


def split_spec(spec: str) -> tuple[Path, int | None]:
    """`PHOTO#N` -> path and number, None without one. A # that belongs to the name of an existing file is kept."""
    name, mark, number = spec.rpartition("#")
    if mark and number.isdecimal() and not Path(spec).exists():
        return Path(name), int(number)
    return Path(spec), None


def tell(path: str | Path, notes: tuple[str, ...]) -> None:
    """Print what was not read of a file, or is not kept, on the standard error."""
    for note in notes:
        print(f"face-part-fusion: {path}: {note}", file=sys.stderr)
