"""Regions of the built-in parser: what it adds to faces, and how much of each part it sees covered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .boxes import bounding_box, window_of
from .parser_builtin import BuiltinParser, Parse
from .parser_corrections import filled
from .parser_net import CLASSES
from .parsing import REPLACE, check_settings, region_of
from .parts import GROUPS, LANDMARK_PARTS, PARTS, Face, FaceParts, Region
from .progress import Progress, counted

# Part -> the classes that it is made of. The mesh stays the source of eyes, brows, nose and mouth.
CLASSES_OF_PART: Mapping[str, tuple[str, ...]] = {
    "skin": ("face", "frame", "lens"),
    "ears": ("ears",),
    "hair": ("hair",),
    "neck": ("neck",),
    "head": ("hair", "face", "ears", "hat", "frame", "lens"),
    "body": ("body",),
    "glasses": ("frame", "lens"),
}
# All parts that the parser gives.
PARSEABLE = (*CLASSES_OF_PART, "background")
# The parts that landmarks never give, in the order of PARTS.
PARSED_PARTS = tuple(part for part in PARTS if part not in LANDMARK_PARTS)
# What covers a part, and the class in which that is seen.
COVERS: Mapping[str, str] = {
    "hair": "hair", "a hat": "hat", "a frame": "frame", "something in front": "occluder",
}  # fmt: skip
# Parts whose visibility is measured.
_MEASURED = ("left_eye", "right_eye", "left_brow", "right_brow", "nose", "mouth", "skin")
# Covers of less than this share are within the error of the outlines.
_LEAST_COVER = 0.02
# A cover of this share is worth a sentence.
_TOLD_COVER = 0.15
# Faces that are parsed together.
_BATCH = 8


def parse_with_builtin(
    parts: FaceParts,
    parser: BuiltinParser,
    *,
    padding: float = 0.25,
    replaced: str = "only missing",
    progress: Progress | None = None,
) -> FaceParts:
    """The same pictures, every chosen face with the regions that the built-in parser sees, and with `covered`.

    `padding`: the nearer of the two parsed squares is CelebA-HQ's and this share (0.25: a quarter) larger.
    `replaced`: "only missing" adds the parts that a face does not have; "all" also replaces those that the parser sees.

    Ears, hair, neck, head, body and glasses that are not seen become empty regions. `skin` is the visible face without
    hair and what else covers it.

    Raises ValueError for another `replaced` and for a `padding` outside 0..4.
    """
    check_settings(padding, replaced)
    jobs = [(i, number, PARSEABLE) for i, number in enumerate(parts.chosen) if number is not None]
    if replaced == REPLACE[0]:
        jobs = [(i, n, tuple(part for part in names if not parts.faces[i][n].has(part))) for i, n, names in jobs]
    return _parsed(parts, jobs, parser, padding, replaced, progress)


def parsed_where_missing(
    parts: FaceParts, needed: Sequence[str], parser: Callable[[], BuiltinParser], *, everyone: bool = False,
    progress: Progress | None = None,
) -> FaceParts:  # fmt: skip
    """`parsed_where` a face lacks one of the parts `needed` that landmarks never give."""
    only_parsed = [part for part in PARSED_PARTS if part in needed]
    return parsed_where(
        parts, lambda face: [part for part in only_parsed if not face.has(part)], parser, everyone=everyone,
        progress=progress,
    )  # fmt: skip


def parsed_where(
    parts: FaceParts, lacking: Callable[[Face], Sequence[str]], parser: Callable[[], BuiltinParser], *,
    everyone: bool = False, progress: Progress | None = None,
) -> FaceParts:  # fmt: skip
    """The same record, each chosen face with the parts of PARSED_PARTS that `lacking` names for it.

    A face for which it names none is not parsed; where no face is parsed, the record itself comes back.

    `parser`: gives the parser; called only where a face is parsed.
    `everyone`: whether this concerns all faces of a picture, not the chosen ones alone.
    `progress`: called after each batch of faces.
    """
    jobs = [
        (i, number, tuple(lacking(face)))
        for i, faces in enumerate(parts.faces)
        for number, face in enumerate(faces)
        if everyone or number in parts.numbers(i)
    ]
    jobs = [job for job in jobs if job[2]]
    return _parsed(parts, jobs, parser(), progress=progress) if jobs else parts


def _parsed(
    parts: FaceParts, jobs: Sequence[tuple[int, int, Sequence[str]]], parser: BuiltinParser, padding: float = 0.25,
    replaced: str = REPLACE[0], progress: Progress | None = None,
) -> FaceParts:  # fmt: skip
    """The record with some faces parsed. `jobs`: the picture, the number of the face in it and its new parts."""
    faces_by_picture = [list(faces) for faces in parts.faces]
    batches = [jobs[i : i + _BATCH] for i in range(0, len(jobs), _BATCH)]
    for batch in counted(batches, progress):
        faces = [faces_by_picture[i][number] for i, number, _ in batch]
        parses = parser.many([parts.pictures[i] for i, _, _ in batch], faces, padding)
        for (i, number, names), face, parse in zip(batch, faces, parses, strict=True):
            regions = regions_of(parse, names)
            both = {**face.regions, **regions} if replaced == "all" else {**regions, **face.regions}
            faces_by_picture[i][number] = replace(face, regions=both, covered=covered(parse, face))
    return replace(parts, faces=tuple(map(tuple, faces_by_picture)))


def regions_of(parse: Parse, names: Iterable[str] = PARSEABLE) -> dict[str, Region]:
    """The parts `names`, of PARSEABLE, as masks; the background is all that is neither head nor neck."""
    names = tuple(names)
    regions = {part: _region(parse, part) for part in names if part != "background"}
    if "background" in names:
        people = (regions.get(part) or _region(parse, part) for part in ("head", "neck"))
        regions["background"] = _background(parse.size, people)
    return regions


def _region(parse: Parse, part: str) -> Region:
    cells = parse.cells_of(*CLASSES_OF_PART[part])
    if cells is None:
        return region_of(torch.zeros(1, 1))
    region = region_of(_cleared(parse.within(cells, *CLASSES_OF_PART[part])))
    rows, columns = parse.pixels_of(cells)
    x, y = region.corner
    return replace(region, corner=(parse.corner[0] + columns.start + x, parse.corner[1] + rows.start + y))


def _background(size: tuple[int, int], people: Iterable[Region]) -> Region:
    """All of a picture of `size` (H, W) but these regions."""
    background = torch.ones(size)
    for region in people:
        if region.mask is not None and region.has_area():
            (x, y), (height, width) = region.corner, region.mask.shape
            here = background[y : y + height, x : x + width]
            _cleared(here.sub_(region.mask).clamp_(min=0))
    return region_of(background)


def _cleared(area: Tensor) -> Tensor:
    """Without the faint traces of a probability, which would make a part reach over the whole picture; in place."""
    return area.masked_fill_(area < 0.05, 0.0)


def covered(parse: Parse, face: Face) -> dict[str, dict[str, float]]:
    """For each part that landmarks outline, what covers it and what share of the part, 0..1.

    Hair and hats do not cover `skin` at its very edge, where they meet the outline of the mesh. Measured on the
    parser's own cells, without strands.
    """
    classes, size = [CLASSES.index(name) for name in COVERS.values()], (parse.coarse.shape[1], parse.coarse.shape[2])
    shares = {}
    for part in _MEASURED:
        region = face.regions.get(part)
        if region is None or not region.rings:
            continue
        ring = (region.rings[0] - torch.tensor(parse.corner)) / parse.step
        ring = ring.mean(0) + (0.9 if part == "skin" else 1.0) * (ring - ring.mean(0))
        box = window_of(bounding_box(ring), size)
        if box is None:
            continue
        x0, y0, x1, y1 = box
        inside = filled(ring - torch.tensor([x0, y0]), (y1 - y0, x1 - x0))
        seen = (parse.coarse[classes, y0:y1, x0:x1] * inside).sum((1, 2)) / inside.sum().clamp(min=1)
        shares[part] = {
            cover: share for cover, share in zip(COVERS, seen.tolist(), strict=True) if share >= _LEAST_COVER
        }
    return shares


def cover_notes(face: Face, parts: Iterable[str] = _MEASURED, whose: str = "the") -> list[str]:
    """What covers which of the `parts` by _TOLD_COVER or more, such as "the left eye is 60 % covered by hair"."""
    members = dict.fromkeys(member for part in parts for member in GROUPS.get(part, (part,)))
    return [
        f"{whose} {part.replace('_', ' ')} is {round(100 * share)} % covered by {cover}"
        for part in members
        for cover, share in face.covered.get(part, {}).items()
        if share >= _TOLD_COVER
    ]


def cover_report(parts: FaceParts) -> str:
    """One line for each chosen face of which a part is covered, then for each part where it is covered least.

    Empty where nothing covers _TOLD_COVER of a part.
    """
    faces = {i: face for i in range(len(parts)) if (face := parts.face(i)) is not None}
    number = "picture {}: " if len(parts) > 1 else ""
    notes = {i: cover_notes(face) for i, face in faces.items()}
    lines = [number.format(i + 1) + "; ".join(own) for i, own in notes.items() if own]
    return "\n".join([*lines, *_least_covered(faces)])


def _least_covered(faces: Mapping[int, Face]) -> list[str]:
    """For each part whose cover differs between the pictures by _TOLD_COVER or more, the picture to take it from."""
    lines = []
    for part in ("eyes", "brows", "nose", "mouth", "skin"):
        shares = {i: share for i, face in faces.items() if (share := face.occluded(part)) is not None}
        if shares and max(shares.values()) - min(shares.values()) >= _TOLD_COVER:
            best = min(shares, key=shares.__getitem__)
            verb = "are" if part in GROUPS else "is"
            lines.append(f"the {part} {verb} covered least in picture {best + 1}: {round(100 * shares[best])} %")
    return lines
