"""One row measured and kept in a file of its own, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..detectors.parts import FaceParts
from ..detectors.picture import as_bytes
from ..detectors.selection import FaceMissing
from ..metrics.appearance import appearance, face_crops
from ..metrics.bars import face_square
from ..metrics.figures import PERSON, Figures
from ..metrics.score import Networks, Triple, score
from ..training.shards.shard import write_whole
from .faces import Finder, split_spec
from .measure_rows import Row

# Changed whenever the same pictures give other figures.
_FORMAT = 2
# Side of a thumbnail in pixels, and its quality.
_THUMBNAIL, _QUALITY = 176, 85


@dataclass(frozen=True)
class Measured:
    """`figures`: of the row. `thumbnails`: JPEGs in base64 of `row.photographs`.

    `appearance`: of the faces of result and target, lists of numbers, where they have some.
    `vectors`: a recogniser's, of the result and of the person who is its reference.
    """

    row: Row
    figures: Figures
    thumbnails: Mapping[str, str] = field(default_factory=dict)
    appearance: Mapping[str, Sequence[float]] = field(default_factory=dict)
    vectors: Mapping[str, Sequence[float]] = field(default_factory=dict)


class Broken(ValueError):
    """A photograph of the row cannot be read; the message names it."""


class RowMeasurer:
    """`folder`: of the kept rows. `around`: parts around which a face is cropped for its appearance."""

    def __init__(
        self, folder: Path, find: Finder, networks: Networks, settings: Mapping[str, object], around: Sequence[str]
    ) -> None:  # fmt: skip
        self._folder, self._find, self._networks, self._around = folder, find, networks, tuple(around)
        self._settings = json.dumps(dict(settings) | {"around": self._around, "format": _FORMAT}, sort_keys=True)
        self._uses: Counter[Path] = Counter()

    def expect(self, rows: Sequence[Row]) -> None:
        """Photographs are kept in memory while rows that were announced here need them."""
        self._uses.update(path for row in rows for path in _paths(row))

    def __call__(self, row: Row) -> Measured:
        """Raises Broken when a photograph is missing or cannot be read."""
        try:
            file = self._folder / f"{self._key(row)}.json"
            kept = _load(file, row)
            if kept is not None:
                return kept
            measured = self._measure(row)
            write_whole(file, json.dumps(_as_json(measured)).encode())
            return measured
        finally:
            self._forget(row)

    def _measure(self, row: Row) -> Measured:
        people = {spec: self._photograph(spec) for spec in row.photographs}
        result, target = people[row.result], people[row.target] if row.target else None
        triple = Triple(result, target, {part: people[spec] for part, spec in row.references.items()})
        figures = score(triple, self._networks)
        thumbnails = {spec: _jpeg(face_square(parts, _THUMBNAIL)) for spec, parts in people.items()}
        faces = {row.result: result} | ({row.target: target} if row.target and target else {})
        own = {spec: self._appearance(parts) for spec, parts in faces.items()}
        return Measured(row, figures, thumbnails, {s: v for s, v in own.items() if v}, self._vectors(row, people))

    def _appearance(self, parts: FaceParts) -> list[float]:
        face = parts.face(0)
        if face is None or not face.scheme or not all(face.shows(part) for part in self._around):
            return []
        return _numbers(appearance(face_crops(parts, self._around))[0])

    def _vectors(self, row: Row, people: Mapping[str, FaceParts]) -> dict[str, list[float]]:
        recogniser = self._networks.recogniser
        if recogniser is None or PERSON not in row.references:
            return {}
        both = {spec: people[spec] for spec in (row.result, row.references[PERSON])}
        if not all((face := parts.face(0)) and face.scheme for parts in both.values()):
            return {}
        return {spec: _numbers(recogniser(parts)[0]) for spec, parts in both.items()}

    def _photograph(self, spec: str) -> FaceParts:
        path, index = split_spec(spec)
        try:
            return self._find(spec)
        except FaceMissing as missing:
            if index:
                raise Broken(str(missing)) from missing
            return FaceParts(self._find.all(path)[0].picture, ((),), (None,))
        except (ValueError, OSError) as error:
            raise Broken(str(error)) from error

    def _key(self, row: Row) -> str:
        """A name of the pictures as they are now and of the settings."""
        digest = hashlib.sha256(self._settings.encode())
        for spec in (row.result, row.target or "", *(f"{p}={s}" for p, s in sorted(row.references.items()))):
            digest.update(f"{spec}\0".encode())
        for path in _paths(row):
            try:
                status = path.stat()
            except OSError as error:
                raise Broken(f"{path}: {error.strerror}; check the path") from error
            digest.update(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return digest.hexdigest()[:24]

    def _forget(self, row: Row) -> None:
        for path in _paths(row):
            self._uses[path] -= 1
            if self._uses[path] <= 0:
                self._find.forget(path)


def _paths(row: Row) -> list[Path]:
    return list(dict.fromkeys(split_spec(spec)[0] for spec in row.photographs))


def _load(file: Path, row: Row) -> Measured | None:
    """What was kept of the row; None where it was not measured, or the file is damaged."""
    try:
        kept = json.loads(file.read_bytes())
        figures = Figures(kept["figures"]["values"], kept["figures"]["reasons"])
        return Measured(row, figures, kept["thumbnails"], kept["appearance"], kept["vectors"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _as_json(measured: Measured) -> dict[str, object]:
    return {name: value for name, value in asdict(measured).items() if name != "row"}


def _numbers(vector: Tensor) -> list[float]:
    return [round(value, 5) for value in vector.double().tolist()]


def _jpeg(picture: Tensor) -> str:
    file = io.BytesIO()
    Image.fromarray(as_bytes(picture)).save(file, "JPEG", quality=_QUALITY)
    return base64.b64encode(file.getvalue()).decode()


def tensor_of(vectors: Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor([list(vector) for vector in vectors])
