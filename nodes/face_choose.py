"""A batch or a folder of photographs -> those whose faces fit words or ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from comfy_api.latest import io
from torch.nn import functional

from ..detectors.find import find_faces
from ..detectors.parser_regions import PARSED_PARTS, parsed_where_missing
from ..detectors.parts import FaceParts, of_input
from ..detectors.progress import counted
from ..detectors.selection import choose
from ..metrics.describe.choose import Condition, Fit, fit_of
from ..metrics.describe.choose import conditions as read_conditions
from ..metrics.describe.describe import describe
from ..metrics.describe.shortlist import Shortlist
from .host.fingerprints import Stamp, stamps
from .host.networks import builtin_detector, builtin_parser
from .host.picture_folder import picture_files, read_picture
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire

ORDERS = ("as they come", "best first")
ON_NONE = ("error", "closest")
FACES = ("chosen", "all")


class Candidate(NamedTuple):
    """One photograph with its best fitting face chosen. `label`: how the report names it."""

    label: str
    parts: FaceParts
    fit: Fit


class FaceChoose(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceChoose",
            display_name="Face Choose",
            category="face parts/describe",
            description="Keeps the photographs whose faces fit words or ranges, such as 'eyes open, yaw < 15, no "
            "spectacles, lit from the left': the references that suit a target, out of a batch or a folder.",
            search_aliases=["filter faces", "select face", "pick photographs", "best frame", "sort faces"],
            inputs=[
                field(
                    io.String, "conditions", default="eyes open, yaw < 20, no spectacles", multiline=True,
                    tooltip="What the faces should be like, with commas between: tags of Face Describe in any "
                    "of its languages, 'no' before one for the opposite, comparisons (yaw < 15, sharpness > 3), "
                    "ranges (yaw -40..-10) or an attribute and its word (hair_length: long). All have to fit.",
                ),
                FacePartsWire.Input(
                    "parts", optional=True, tooltip="A batch from Face Part Detect with on_missing 'keep empty'. "
                    "Unplug it to take a folder.",
                ),
                field(
                    io.String, "folder", default="",
                    tooltip="Without parts: the name of a folder of photographs in ComfyUI's input folder. The largest "
                    "face of each is looked at, found by the built-in detector.",
                ),
                field(
                    io.Combo, "faces", options=list(FACES), default=FACES[0],
                    tooltip="'chosen' looks at each picture's chosen face; 'all' at every face, and chooses the one "
                    "that fits best.",
                ),
                field(
                    io.Int, "most", default=0, min=0, max=4096,
                    tooltip="At most this many photographs, those that fit best; 0 keeps all that fit.",
                ),
                field(
                    io.Combo, "order", options=list(ORDERS), default=ORDERS[0],
                    tooltip="'best first' puts the face that fits most surely first.",
                ),
                field(
                    io.Combo, "on_none", options=list(ON_NONE), default=ON_NONE[0],
                    tooltip="Where no face fits: 'error' stops and says what fails; 'closest' gives the one that fits "
                    "best all the same.",
                ),
            ],
            outputs=[
                FacePartsWire.Output("parts", tooltip="The photographs that fit, with their faces."),
                io.Image.Output("images", tooltip="The same pictures. Those of a folder have different sizes: they lie "
                "at the top left of a canvas as large as the largest."),
                io.String.Output("report", tooltip="Which photographs fit, and why the others do not."),
                io.Int.Output("count", tooltip="How many photographs are given."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", parts: object = None, **_: object) -> tuple[Stamp, ...]:
        return stamps(lambda: [str(path) for path in picture_files(folder)]) if folder and parts is None else ()

    @classmethod
    def execute(
        cls, conditions: str, parts: FaceParts | None = None, folder: str = "", faces: str = FACES[0], most: int = 0,
        order: str = ORDERS[0], on_none: str = ON_NONE[0],
    ) -> io.NodeOutput:  # fmt: skip
        wishes = read_conditions(conditions)
        if parts is None and not folder.strip():
            raise ValueError("there are neither parts nor a folder; wire Face Part Detect into parts, or name a folder")
        shortlist, lines = Shortlist[Candidate](most, on_none == "closest"), []
        source, photographs = ("folder", _folder(folder)) if parts is None else ("parts", _batch(parts))
        for label, own in photographs:
            with of_input(f"{source}, {label}"):
                candidate = _looked_at(label, own, wishes, faces == "all")
            lines.append(f"{label}: {'no face' if candidate is None else '; '.join(candidate.fit.failed) or 'fits'}")
            if candidate is not None:
                shortlist.add(candidate, candidate.fit)
        kept = shortlist.items(best_first=order == ORDERS[1])
        if not shortlist.count:
            raise ValueError(
                f"{source} has no face that could fit ({_first(lines)}); give photographs with larger or sharper "
                "faces" + (", or lower the threshold of Face Part Detect" if parts is not None else "")
            )
        if not kept:
            raise ValueError(
                f"no face fits conditions ({_first(lines)}); loosen them, give more photographs, or set "
                "on_none to 'closest'"
            )
        together = _together(kept)
        return io.NodeOutput(together, together.pictures, "\n".join(lines), len(kept))


def _batch(parts: FaceParts) -> Iterator[tuple[str, FaceParts]]:
    for i in counted(range(len(parts)), host_progress()):
        yield f"picture {i + 1} of {len(parts)}", parts.single(i)


def _folder(folder: str) -> Iterator[tuple[str, FaceParts]]:
    for path in counted(picture_files(folder), host_progress()):
        picture = read_picture(path)
        yield path.name, choose(picture, find_faces(picture, builtin_detector()), on_missing="keep empty")


def _looked_at(label: str, parts: FaceParts, wishes: list[Condition], everyone: bool) -> Candidate | None:
    """The photograph with the face that fits best; None without a face."""
    parts = parsed_where_missing(parts, PARSED_PARTS, builtin_parser, everyone=everyone)
    numbers = range(len(parts.faces[0])) if everyone else [n for n in parts.chosen if n is not None]
    fits = {n: fit_of(describe(parts.pictures[0], parts.faces[0][n]), wishes) for n in numbers}
    if not fits:
        return None
    best = max(fits, key=lambda n: (not fits[n].failed, fits[n].score))
    return Candidate(label, replace(parts, chosen=(best,)), fits[best])


def _first(lines: list[str]) -> str:
    return " | ".join(lines[:8])


def _together(kept: list[Candidate]) -> FaceParts:
    """One batch; smaller pictures lie at the top left of a canvas as large as the largest."""
    height, width = (max(candidate.parts.size[axis] for candidate in kept) for axis in (0, 1))
    pictures = [
        functional.pad(own, (0, 0, 0, width - own.shape[2], 0, height - own.shape[1]))
        for own in (candidate.parts.pictures for candidate in kept)
    ]
    faces = tuple(candidate.parts.faces[0] for candidate in kept)
    chosen = tuple(candidate.parts.chosen[0] for candidate in kept)
    return FaceParts(torch.cat(pictures), faces, chosen, kept[0].parts.detector)
