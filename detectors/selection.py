"""The choice of a face: the order of the faces in a picture, the index, and what happens where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from .parts import FACE_ORDERS, ON_MISSING, Face, FaceParts

_KEYS: dict[str, Callable[[Face], float]] = {
    "left-right": lambda f: f.box[0] + f.box[2],
    "top-bottom": lambda f: f.box[1] + f.box[3],
    "small-large": lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]),
    "worst-best": lambda f: f.score,
}
_REVERSED = {
    "right-left": "left-right",
    "bottom-top": "top-bottom",
    "large-small": "small-large",
    "best-worst": "worst-best",
}


class FaceMissing(ValueError):
    """A picture does not have the chosen face. `fact`: the problem; the message adds what to do about it in a graph."""

    def __init__(self, fact: str, advice: str) -> None:
        super().__init__(f"{fact}. {advice}")
        self.fact = fact


class GivenPlace(NamedTuple):
    """An input that says where the faces are, for the message about a picture without one there.

    `where`: such as "under mask". `advice`: what to do with the input.
    """

    where: str
    advice: str


def sort_faces(faces: Sequence[Face], order: str) -> tuple[Face, ...]:
    """Faces in one of FACE_ORDERS, by box centre, box area or score.

    Ties go left to right, then top to bottom in every order, so that the faces of a picture are always numbered alike.
    """
    if order not in FACE_ORDERS:
        raise ValueError(f"'{order}' is not a face order; choose one of {', '.join(FACE_ORDERS)}")
    settled = sorted(faces, key=lambda f: (f.box[0] + f.box[2], f.box[1] + f.box[3]))
    key = _KEYS[_REVERSED.get(order, order)]
    sign = -1.0 if order in _REVERSED else 1.0
    return tuple(sorted(settled, key=lambda f: sign * key(f)))


def choose(
    pictures: Tensor,
    faces_in_pictures: Sequence[Sequence[Face]],
    order: str = "large-small",
    index: int = 0,
    on_missing: str = "error",
    detector: str = "the built-in detector",
    place: GivenPlace | None = None,
    also: Sequence[int] = (),
) -> FaceParts:
    """Sort every picture's faces and choose number `index` (0 first) of each.

    `on_missing`, for a picture without that face: "error" raises FaceMissing naming the picture; "keep empty" leaves
    the picture without a choice; "previous" takes the faces and the choice of the picture before it (for pictures at
    the start, of the first one that has the face). The batch never shrinks.

    `place`: the input that said where to look, if any; an error names it instead of the `detector`.
    `also`: numbers of further chosen faces. One that a picture does not have raises FaceMissing with "error" and is
    left out otherwise.

    Raises ValueError for an unknown order or `on_missing` and for a negative index.
    """
    if on_missing not in ON_MISSING:
        raise ValueError(f"on_missing is '{on_missing}'; choose one of {', '.join(ON_MISSING)}")
    if index < 0:
        raise ValueError(f"index is {index}; faces are numbered from 0")
    faces = [sort_faces(own, order) for own in faces_in_pictures]
    chosen: list[int | None] = [index if index < len(f) else None for f in faces]
    if on_missing == "error" and None in chosen:
        raise _missing(faces, chosen, index, detector, place)
    if on_missing == "previous" and any(c is not None for c in chosen):
        first = next(i for i, c in enumerate(chosen) if c is not None)
        for i, c in enumerate(chosen):
            if c is None:
                source = first if i < first else i - 1
                faces[i], chosen[i] = faces[source], chosen[source]
    if on_missing == "error":
        _check_also(faces, also)
    further = tuple(tuple(number for number in also if number < len(own)) for own in faces) if also else ()
    return FaceParts(pictures, tuple(faces), tuple(chosen), detector, further)


def read_numbers(text: str) -> tuple[int, ...]:
    """Numbers of faces with commas or spaces between. Raises ValueError for anything else."""
    words = text.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError(f"also is '{text}'; write numbers of faces, from 0, with commas between, such as 1, 2")
    return tuple(dict.fromkeys(map(int, words)))


def _check_also(faces: Sequence[tuple[Face, ...]], also: Sequence[int]) -> None:
    for number in also:
        for i, own in enumerate(faces):
            if number >= len(own):
                where = f"picture {i + 1} of {len(faces)}" if len(faces) > 1 else "the picture"
                raise FaceMissing(
                    f"also asks for face number {number + 1} ({number}), but {where} has {len(own)}",
                    "Faces are numbered from 0: take the number out of also, or set on_missing to 'keep empty' or "
                    "'previous'",
                )


def _missing(
    faces: Sequence[tuple[Face, ...]], chosen: Sequence[int | None], index: int, detector: str, place: GivenPlace | None
) -> FaceMissing:
    i = chosen.index(None)
    lost, total = sum(c is None for c in chosen), len(faces)
    where = f"picture {i + 1} of {total}" if total > 1 else "the picture"
    more = f" ({lost} of {total} pictures lack it)" if lost > 1 else ""
    if faces[i]:
        return FaceMissing(
            f"index {index} asks for face number {index + 1}, but {where} has {len(faces[i])}{more}",
            "Faces are numbered from 0: lower the index, or set on_missing to 'keep empty' or 'previous'",
        )
    if place is not None:
        return FaceMissing(
            f"no face found in {where}{more} {place.where}",
            f"{place.advice}; or set on_missing to 'keep empty' or 'previous' to go on without it",
        )
    return FaceMissing(
        f"no face found in {where}{more} by {detector}",
        "Lower the threshold, use a larger or uncropped picture, wire in a box or a mask, or set on_missing to 'keep "
        "empty' or 'previous' to go on without it",
    )
