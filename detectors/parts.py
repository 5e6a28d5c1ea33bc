"""Part names, face orders, and the records of faces and their parts that travel on the FACE_PARTS wire.

Left and right are the picture's: `left_eye` is the eye nearer to the picture's left edge of an upright face.
Coordinates are pixels (x to the right, y down); pixel (column, row) covers [column, column + 1) x [row, row + 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from .boxes import Box, bounding_box, corners_of
from .outlines import convex_hull

PARTS = (
    "left_eye", "right_eye", "left_brow", "right_brow", "nose", "mouth", "lips", "inner_mouth",
    "skin", "ears", "hair", "neck", "head", "background", "body", "glasses",
)  # fmt: skip
GROUPS: Mapping[str, tuple[str, ...]] = {
    "eyes": ("left_eye", "right_eye"),
    "brows": ("left_brow", "right_brow"),
}
PART_CHOICES = (*GROUPS, *PARTS)

FACE_ORDERS = (
    "left-right", "right-left", "top-bottom", "bottom-top",
    "small-large", "large-small", "best-worst", "worst-best",
)  # fmt: skip
ON_MISSING = ("error", "keep empty", "previous")

# Source -> the parts that it can give, for the error message about an absent part.
LANDMARK_PARTS = frozenset(PARTS) - {"ears", "hair", "neck", "head", "background", "body", "glasses"}
PARTS_BY_SOURCE: Mapping[str, frozenset[str]] = {
    "the built-in detector": LANDMARK_PARTS,
    "ComfyUI's own FACE_LANDMARKS": LANDMARK_PARTS,
    "InsightFace (106 points)": LANDMARK_PARTS,
    "text-prompted boxes (GroundingDINO)": frozenset(PARTS),
    "a mask or box wired in as that part": frozenset(PARTS),
    "face parsing, with the pack's parser, a model or masks": frozenset(PARTS),
}


class PartMissing(ValueError):
    """The face does not have the part that is needed."""


@contextmanager
def of_input(name: str, picture: int = 0, pictures: int = 1) -> Iterator[None]:
    """A PartMissing raised inside is prefixed with the input's `name` and, of several `pictures`, with the number.

    `picture`: 0 is the first. `name`: "" where the message names the input itself.
    """
    try:
        yield
    except PartMissing as missing:
        prefix = [name] if name else []
        if pictures > 1:
            prefix.append(f"picture {picture + 1} of {pictures}")
        raise PartMissing(f"{', '.join(prefix)}: {missing}" if prefix else str(missing)) from None


@dataclass(frozen=True, eq=False)
class Region:
    """Area of one part.

    `rings`: closed outlines, each (N, 2) pixels, filled by the even-odd rule (a ring inside a ring is a hole).
    `mask`: (h, w) in 0..1, used instead of rings; its top left pixel is pixel `corner` (x, y) of the picture.
    """

    rings: tuple[Tensor, ...] = ()
    mask: Tensor | None = None
    corner: tuple[int, int] = (0, 0)

    @classmethod
    def of_box(cls, box: Box) -> Region:
        return cls((corners_of(box),))

    def has_area(self) -> bool:
        return bool((self.mask > 0.5).any()) if self.mask is not None else bool(self.rings)

    def box(self) -> Box:
        """x0, y0, x1, y1 in pixels. Raises ValueError when the region has no area."""
        if self.mask is not None:
            ys, xs = torch.nonzero(self.mask > 0.5, as_tuple=True)
            if len(xs) == 0:
                raise ValueError("this region's mask is empty; paint the part white (above 0.5)")
            x, y = self.corner
            return x + float(xs.min()), y + float(ys.min()), x + float(xs.max()) + 1, y + float(ys.max()) + 1
        if not self.rings:
            raise ValueError("this region has neither an outline nor a mask")
        return bounding_box(torch.cat(self.rings))

    @cached_property
    def hull(self) -> Tensor:
        """(N, 2): the corners of its convex hull in drawing order, in pixels; (0, 2) without a white pixel."""
        points = torch.cat(self.rings) if self.mask is None else self._ends(self.mask)
        return torch.tensor(convex_hull(points.tolist()), dtype=points.dtype).view(-1, 2)

    def _ends(self, mask: Tensor) -> Tensor:
        """(N, 2): the ends of every row of white pixels; points between them are not on the hull."""
        white = (mask > 0.5).int()
        rows = torch.nonzero(white.amax(1)).flatten()
        left, right = white[rows].argmax(1), white.shape[1] - white[rows].flip(1).argmax(1)
        ends = torch.cat([torch.stack([xs, ys], -1) for xs in (left, right) for ys in (rows, rows + 1)])
        return (ends + torch.tensor(self.corner)).float()


def box_around(regions: Sequence[Region]) -> Box:
    """The box around one or more regions, in pixels. Raises ValueError when one of them has no area."""
    x0, y0, x1, y1 = zip(*(region.box() for region in regions), strict=True)
    return min(x0), min(y0), max(x1), max(y1)


@dataclass(frozen=True, eq=False)
class Face:
    """One face of one picture.

    `box`: x0, y0, x1, y1 in pixels.
    `score`: 0..1.
    `landmarks`: (N, 2) float32, x and y in pixels.
    `scheme`: their numbering, a key of `detectors.schemes.SCHEMES`, or "" without landmarks.
    `angles`: yaw, pitch, roll in degrees, None where unknown. Yaw > 0 looks to the picture's right, pitch > 0 looks up,
    roll > 0 is turned clockwise in the picture.
    `regions`: the parts that this face has, by the names in PARTS.
    `depth`: (N,) float32, for each landmark its distance from the viewer in pixels, from an arbitrary plane; None where
    unknown.
    `hidden`: parts that the turned head hides. They have no region, unless one was painted or wired in.
    `covered`: for the parts whose visibility was measured, what covers them and how much of the part, 0..1: "hair",
    "a hat", "a frame" of spectacles (lenses do not count), "something in front".
    """

    box: Box
    score: float
    landmarks: Tensor = field(default_factory=lambda: torch.zeros(0, 2))
    scheme: str = ""
    angles: tuple[float, float, float] | None = None
    regions: Mapping[str, Region] = field(default_factory=dict)
    depth: Tensor | None = None
    hidden: tuple[str, ...] = ()
    covered: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def occluded(self, part: str) -> float | None:
        """The share 0..1 of `part` that is covered, the larger of both sides for a group; None where not measured."""
        members = GROUPS.get(part, (part,))
        if not all(member in self.covered for member in members):
            return None
        return max(min(1.0, sum(self.covered[member].values())) for member in members)

    def has(self, part: str) -> bool:
        return all(p in self.regions for p in GROUPS.get(part, (part,)))

    def shows(self, part: str) -> bool:
        """Whether the face has the part and some of it is visible. Hidden ears may be known and empty."""
        return self.has(part) and all(self.regions[p].has_area() for p in GROUPS.get(part, (part,)))

    def region(self, part: str) -> tuple[Region, ...]:
        """The regions that make up `part` (two for a group such as `eyes`).

        Raises ValueError for a name that is not a part and PartMissing for a part that this face does not have.
        """
        if part not in PART_CHOICES:
            raise ValueError(f"'{part}' is not a part; choose one of {', '.join(PART_CHOICES)}")
        if not self.has(part):
            members = set(GROUPS.get(part, (part,)))
            if members & set(self.hidden):
                raise PartMissing(self._hidden_message(part))
            sources = [source for source, parts in PARTS_BY_SOURCE.items() if members <= parts]
            have = ", ".join(p for p in PART_CHOICES if self.has(p)) or "no part"
            raise PartMissing(f"this face has no '{part}' (it has {have}); '{part}' comes from {' or '.join(sources)}")
        return tuple(self.regions[p] for p in GROUPS.get(part, (part,)))

    def _hidden_message(self, part: str) -> str:
        members = GROUPS.get(part, (part,))
        hidden = " and ".join(p for p in members if p in self.hidden)
        visible = [p for p in members if self.has(p)]
        turn = "" if self.angles is None else f" by {abs(self.angles[0]):.0f} degrees"
        return (
            f"this face has no '{part}': the head is turned{turn}, which hides {hidden}; use a photograph whose head "
            f"is turned less{f', or {visible[0]} alone' if visible else ''}"
        )

    def box_of(self, part: str) -> Box:
        """The box around `part`, over both sides for a group: x0, y0, x1, y1 in pixels."""
        return box_around(self.region(part))


@dataclass(frozen=True, eq=False)
class FaceParts:
    """The record on the FACE_PARTS wire: pictures and their faces.

    `pictures`: (B, H, W, 3) float32 0..1, the pictures that were searched; the record holds them so that a picture and
    its faces cannot be paired wrongly.
    `faces[i]`: the faces of picture i in the chosen order, possibly none.
    `chosen[i]`: the number of the chosen face in `faces[i]`, None where there is none.
    `detector`: the detector that found them, for messages.
    `also[i]`: numbers of further chosen faces, for what takes several of a picture; empty where there are none at all.
    """

    pictures: Tensor
    faces: tuple[tuple[Face, ...], ...]
    chosen: tuple[int | None, ...]
    detector: str = "the built-in detector"
    also: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if not len(self.pictures) == len(self.faces) == len(self.chosen) or len(self.also) not in (0, len(self.faces)):
            further = f", and {len(self.also)} lists of further ones" if self.also else ""
            raise ValueError(
                f"FaceParts needs as many face lists and choices as pictures; came {len(self.pictures)} pictures, "
                f"{len(self.faces)} face lists and {len(self.chosen)} choices{further}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """H, W in pixels."""
        return int(self.pictures.shape[1]), int(self.pictures.shape[2])

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def nobody(self) -> bool:
        """Whether no picture has a chosen face."""
        return all(index is None for index in self.chosen)

    def face(self, picture: int) -> Face | None:
        """The chosen face of that picture, None where there is none."""
        index = self.chosen[picture]
        return None if index is None else self.faces[picture][index]

    def numbers(self, picture: int) -> tuple[int, ...]:
        """The numbers of all chosen faces of that picture, that of `chosen` first; none where it has no chosen face."""
        index = self.chosen[picture]
        if index is None:
            return ()
        further = self.also[picture] if self.also else ()
        return (index, *(number for number in further if number != index))

    def all_chosen(self, picture: int) -> list[Face]:
        """The faces of `numbers`."""
        return [self.faces[picture][number] for number in self.numbers(picture)]

    def single(self, picture: int) -> FaceParts:
        """One picture alone, not copied."""
        at = slice(picture, picture + 1)
        return FaceParts(self.pictures[at], self.faces[at], self.chosen[at], self.detector, self.also[at])
