"""Regions of the built-in parser: what it adds to faces, and how much of each part it sees covered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .parser_builtin import BuiltinParser, Parse, filled
from .parsing import check_settings, region_of, with_chosen
from .parts import Face, FaceParts, Region
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
# What covers a part, and the class in which that is seen.
COVERS: Mapping[str, str] = {
    "hair": "hair", "a hat": "hat", "a frame": "frame", "something in front": "occluder",
}  # fmt: skip
# Parts whose visibility is measured.
_MEASURED = ("left_eye", "right_eye", "left_brow", "right_brow", "nose", "mouth", "skin")
# Covers of less than this share are within the error of the outlines.
_LEAST_COVER = 0.02
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
    chosen = [parts.face(i) for i in range(len(parts))]
    there = [i for i, face in enumerate(chosen) if face is not None]
    batches = [there[i : i + _BATCH] for i in range(0, len(there), _BATCH)]
    for batch in counted(batches, progress):
        faces = [face for face in (chosen[i] for i in batch) if face is not None]
        parses = parser.many([parts.pictures[i] for i in batch], faces, padding)
        for i, face, parse in zip(batch, faces, parses, strict=True):
            regions = regions_of(parse)
            both = {**face.regions, **regions} if replaced == "all" else {**regions, **face.regions}
            chosen[i] = replace(face, regions=both, covered=covered(parse, face))
    return with_chosen(parts, chosen)


def parsed_where_missing(
    parts: FaceParts, needed: Sequence[str], parser: Callable[[], BuiltinParser], progress: Progress | None = None
) -> FaceParts:
    """The same record, parsed where a chosen face lacks one of the parts `needed`; unchanged where none does.

    `parser`: gives the parser; called only where it is needed.
    """
    lacking = [face for face in map(parts.face, range(len(parts))) if face and not all(map(face.has, needed))]
    return parse_with_builtin(parts, parser(), progress=progress) if lacking else parts


def regions_of(parse: Parse) -> dict[str, Region]:
    """The parts of CLASSES_OF_PART as masks, and the background: all that is neither head nor neck."""
    areas = {part: parse.of(*classes) for part, classes in CLASSES_OF_PART.items()}
    areas["background"] = (1 - areas["head"] - areas["neck"]).clamp(0, 1)
    return {part: region_of(_cleared(area)) for part, area in areas.items()}


def _cleared(area: Tensor) -> Tensor:
    """Without the faint traces of a probability, which would make a part reach over the whole picture."""
    return torch.where(area < 0.05, 0.0, area)


def covered(parse: Parse, face: Face) -> dict[str, dict[str, float]]:
    """For each part that landmarks outline, what covers it and what share of the part, 0..1.

    Hair and hats do not cover `skin` at its very edge, where they meet the outline of the mesh.
    """
    maps = {cover: parse.of(name) for cover, name in COVERS.items()}
    shares = {}
    for part in _MEASURED:
        region = face.regions.get(part)
        if region is None or not region.rings:
            continue
        ring = region.rings[0]
        inside = filled(ring.mean(0) + (0.9 if part == "skin" else 1.0) * (ring - ring.mean(0)), parse.size)
        total = float(inside.sum())
        if total > 0:
            seen = {cover: float((area * inside).sum()) / total for cover, area in maps.items()}
            shares[part] = {cover: share for cover, share in seen.items() if share >= _LEAST_COVER}
    return shares


def cover_report(parts: FaceParts, least: float = 0.15) -> str:
    """One line for each chosen face of which a part is covered by `least` or more; empty where none is."""
    lines = []
    for i in range(len(parts)):
        face = parts.face(i)
        notes = [
            f"the {part.replace('_', ' ')} is {round(100 * share)} % covered by {cover}"
            for part, covers in (face.covered.items() if face else ())
            for cover, share in covers.items()
            if share >= least
        ]
        if notes:
            lines.append((f"picture {i + 1}: " if len(parts) > 1 else "") + "; ".join(notes))
    return "\n".join(lines)
