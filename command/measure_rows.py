"""Which pictures are measured against which: results, targets and references, from folders, patterns or a CSV file."""

from __future__ import annotations

import csv
import glob
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ..metrics.figures import PARTS, PERSON
from .faces import split_spec

# Columns of a CSV file. `reference` stands for the person and every part.
RESULT, TARGET, REFERENCE = "result", "target", "reference"
COLUMNS = (RESULT, TARGET, REFERENCE, PERSON, *PARTS)
# The run of single pictures.
_PICTURES = "pictures"
_NEITHER = {".eps", ".ps", ".pdf"}


@dataclass(frozen=True)
class Row:
    """A result to measure. All are PHOTO or PHOTO#N; `references`: by part or PERSON. `run`: that it belongs to."""

    run: str
    result: str
    target: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)

    @property
    def photographs(self) -> tuple[str, ...]:
        """Every photograph once, the result first."""
        return tuple(dict.fromkeys((self.result, *filter(None, (self.target,)), *self.references.values())))


def rows_of(results: Sequence[str], targets: str | None, references: Sequence[str]) -> list[Row]:
    """A row for every picture of RESULTS: folders, patterns and CSV files are runs, single pictures one together.

    `targets`: one photograph for all, or a folder or pattern of which each result takes the one of its own name.
    `references`: the same, also as PART=..., for a part alone.

    Raises ValueError where nothing fits, a name stands for several photographs, or a CSV file has other columns.
    """
    target_of = _Partner("--targets", targets) if targets is not None else None
    reference_of = {part: _Partner(f"--references {words}", words) for part, words in _by_part(references).items()}
    rows, runs = [], _runs(results)
    for words in results:
        path = Path(words)
        if path.suffix.lower() == ".csv" and path.is_file():
            if targets is not None or references:
                raise ValueError(f"{words} names targets and references itself; leave out --targets and --references")
            rows += _rows_of_table(path, runs[words])
            continue
        for picture in pictures_of(words, "RESULTS"):
            target = target_of.of(picture) if target_of else None
            given = {part: partner.of(picture) for part, partner in reference_of.items()}
            rows.append(Row(runs[words], picture, target,
                            {part: reference for part, reference in given.items() if reference}))  # fmt: skip
    _check(rows, [partner for partner in (target_of, *reference_of.values()) if partner])
    return rows


def pictures_of(words: str, option: str) -> list[str]:
    """A photograph itself, those in a folder, or those that a pattern fits, by name. Raises ValueError without one."""
    path, index = split_spec(words)
    known = Image.registered_extensions().keys() - _NEITHER
    if path.is_dir():
        pictures = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in known)
        kind = "a folder without pictures"
    elif path.is_file():
        return [words]
    else:
        pictures = sorted(Path(name) for name in glob.glob(words, recursive=True) if Path(name).is_file())
        kind = "neither a file nor a folder, and no file fits it as a pattern"
    if not pictures:
        raise ValueError(
            f"{option} {words} is {kind}; name PNG, JPEG or WebP files, a folder of them, or 'folder/*.png'"
        )
    return [f"{picture}#{index}" if index is not None else str(picture) for picture in pictures]


class _Partner:
    """The photographs of one option. `named`: how many results found theirs by name."""

    def __init__(self, option: str, words: str) -> None:
        self.option, self.named = option, 0
        pictures = pictures_of(words, option)
        self._all = pictures[0] if len(pictures) == 1 else None
        self._by_name: dict[str, str] = {}
        for picture in pictures:
            name = split_spec(picture)[0].stem
            if name in self._by_name:
                raise ValueError(
                    f"{option} has two pictures named {name}: {self._by_name[name]} and {picture}; keep one"
                )
            self._by_name[name] = picture

    def of(self, result: str) -> str | None:
        partner = self._all or self._by_name.get(split_spec(result)[0].stem)
        self.named += partner is not None
        return partner


def _by_part(references: Sequence[str]) -> dict[str, str]:
    """--references -> part or PERSON -> words; those without a part are the person and every part."""
    by_part: dict[str, str] = {}
    for words in references:
        part, mark, rest = words.partition("=")
        named = bool(mark) and part in (*PARTS, PERSON)
        if named and not rest.strip():
            raise ValueError(f"--references {words} names no photograph; write {part}=PHOTO, or leave it out")
        for each in (part,) if named else (*PARTS, PERSON):
            if each in by_part:
                raise ValueError(
                    f"--references gives {each} twice, by {by_part[each]} and {words}; write PART=PHOTO once"
                )
            by_part[each] = rest if named else words
    return by_part


def _rows_of_table(path: Path, run: str) -> list[Row]:
    """Rows of a CSV file, whose paths are relative to it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        columns = table.fieldnames or ()
        unknown = [name for name in columns if name not in COLUMNS]
        if RESULT not in columns or unknown:
            problem = f"has the columns {', '.join(unknown)}" if unknown else "has no column 'result'"
            raise ValueError(f"{path} {problem}; its first line names any of {', '.join(COLUMNS)}")
        return [_row(path, run, number, cells) for number, cells in enumerate(table, 2)]


def _row(path: Path, run: str, number: int, cells: Mapping[str, str | None]) -> Row:
    photographs = {name: str(path.parent / words) for name, words in cells.items() if words and name in COLUMNS}
    if RESULT not in photographs:
        raise ValueError(f"{path}, line {number}: 'result' is empty; name a picture there, or take the line out")
    everything = {name: photographs[REFERENCE] for name in (*PARTS, PERSON)} if REFERENCE in photographs else {}
    references = everything | {name: photographs[name] for name in (*PARTS, PERSON) if name in photographs}
    return Row(run, photographs[RESULT], photographs.get(TARGET), references)


def _runs(results: Sequence[str]) -> dict[str, str]:
    """Words of RESULTS -> the name of their run; the words themselves where several runs would have one name."""
    names = {words: _name(words) for words in results}
    uses = Counter(names.values())
    return {words: _PICTURES if name is None else words if uses[name] > 1 else name for words, name in names.items()}


def _name(words: str) -> str | None:
    """A folder's or a CSV file's own name, or the pattern; None for a picture."""
    path = split_spec(words)[0]
    if path.is_dir():
        return path.resolve().name or str(path)
    if path.is_file():
        return path.stem if path.suffix.lower() == ".csv" else None
    return words


def _check(rows: Sequence[Row], partners: Sequence[_Partner]) -> None:
    for partner in partners:
        if rows and not partner.named:
            names = ", ".join(sorted({split_spec(row.result)[0].stem for row in rows})[:3])
            raise ValueError(
                f"{partner.option} has no picture with the name of a result ({names}); name one photograph for all, or "
                "let the names be the same, or write a CSV file"
            )
    if not rows:
        raise ValueError(
            "there is nothing to measure: the CSV file has no line below its head; add one for each result"
        )
