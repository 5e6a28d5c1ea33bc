"""One person's identity given to faces of a target: which of them, how far, and which part of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parts import Face, FaceParts, of_input
from ...detectors.progress import Progress, counted
from ...fusion.batches import checked_mask, mask_for
from ...fusion.canvas import black_masks
from ...fusion.cover import CoverFinder
from ...fusion.face_swap import AREAS, FacePatch, Generator, aligned_crop, face_matrix, face_patch
from ...fusion.similarity import scale_of
from .identity import Identity, between, check_provider, likeness
from .passes import MOST_TILES, boosted, with_second_pass
from .swapper import Swapper

# Which faces change: the chosen ones of each picture, all, or those that look like a reference.
FACES = ("chosen", "all", "like the reference")
# Degrees by which a head may be turned before generators, which know frontal faces best, do badly.
_TURNED = 45.0
# Pixels of the photograph for each pixel of the generator from which its face looks soft.
_SOFT = 1.5


@dataclass(frozen=True, eq=False)
class SwapSettings:
    """What is swapped, and how.

    `faces`: of FACES. `reference`: who is looked for; `least_likeness`: the cosine from which a face is taken for them.
    `strength`: 0..1, from the target's own identity (0: nothing changes) to the new one.
    `lower_face`: 0..1, how far the lower face follows the new person: by the person's own vector for it where the
        swapper has one, else by a second pass.
    `area`, `parts`, `tone`, `light`: as in `face_patch`.
    `covers`: whether spectacles, hair and hands over a face stay on top.
    `pixel_boost`: 1..MOST_TILES, how many times as large as the generator's own the crop is along each side.
    """

    faces: str = FACES[0]
    reference: Identity | None = None
    least_likeness: float = 0.35
    strength: float = 1.0
    lower_face: float = 1.0
    area: str = AREAS[0]
    parts: Sequence[str] = field(default=())
    tone: float = 1.0
    light: float = 1.0
    covers: bool = True
    pixel_boost: int = 1


class Swapped(NamedTuple):
    """`pictures`: (B, H, W, 3). `changed`: (B, H, W), 0..1, 0 where a picture is bit for bit as it was.

    `report`: for each picture, one sentence a line.
    """

    pictures: Tensor
    changed: Tensor
    report: tuple[tuple[str, ...], ...]


def swap_faces(
    target: FaceParts, swapper: Swapper, identity: Identity, settings: SwapSettings, *, mask: Tensor | None = None,
    parser: BuiltinParser | None = None, progress: Progress | None = None,
) -> Swapped:  # fmt: skip
    """The pictures of `target` with `identity` in the place of faces in them.

    `mask`: (B or 1, H, W), 0..1, 1 = the target may change there.
    `parser`: as in `composite`.
    `progress`: called after each picture.

    Raises ValueError for an identity of another swapper, a setting outside its range, a missing reference, and as
    `face_patch` does.
    """
    _check(swapper, identity, settings)
    masks = checked_mask(mask, target, "mask")
    finder = CoverFinder(parser) if settings.covers else None
    pictures, report = target.pictures.clone(), []
    changed = black_masks(pictures.shape[:3])
    for i in counted(range(len(target)), progress):
        chosen, lines = _faces(target, i, swapper, settings)
        for face in chosen:
            with of_input("target", i, len(target)):
                patch = _swap(pictures[i], face, swapper, identity, settings, finder, mask_for(masks, i))
            patch.lay(pictures[i], changed[i])
            lines += _remarks(face, swapper, settings.pixel_boost)
        report.append(tuple(lines))
    return Swapped(pictures, changed, tuple(report))


def _faces(target: FaceParts, i: int, swapper: Swapper, settings: SwapSettings) -> tuple[list[Face], list[str]]:
    """The faces of the i-th picture that change, and the beginning of its report."""
    everyone, chosen = list(target.faces[i]), target.face(i)
    if chosen is None or settings.strength == 0:
        return [], ["left as it was: " + ("it has no chosen face" if chosen is None else "strength is 0")]
    if settings.faces == FACES[0]:
        everyone = target.all_chosen(i)
    if settings.faces != FACES[2] or settings.reference is None:
        return everyone, [f"{len(everyone)} face{'s' if len(everyone) > 1 else ''} changed"]
    likenesses = [likeness(_own(target.pictures[i], face, swapper), settings.reference.vector) for face in everyone]
    alike = [face for face, each in zip(everyone, likenesses, strict=True) if each >= settings.least_likeness]
    said = ", ".join(f"{each:.2f}" for each in likenesses)
    return alike, [f"{len(alike)} of {len(everyone)} faces look like the reference (likeness {said})"]


def _swap(
    picture: Tensor, face: Face, swapper: Swapper, identity: Identity, settings: SwapSettings,
    finder: CoverFinder | None, mask: Tensor | None,
) -> FacePatch:  # fmt: skip
    vector = identity.vector
    if settings.strength < 1 or (swapper.lower_face and settings.lower_face < 1):
        lower_face = settings.lower_face if swapper.lower_face else 1.0
        vector = between(_own(picture, face, swapper), vector, settings.strength, lower_face)
    cover = finder(picture, face) if finder else None
    boost, template = settings.pixel_boost, torch.tensor(swapper.target.points)
    return face_patch(
        picture, face, _generator(swapper, settings), vector, template * boost, swapper.target.size * boost,
        area=settings.area, parts=settings.parts, tone=settings.tone, light=settings.light, cover=cover, mask=mask,
    )  # fmt: skip


def _generator(swapper: Swapper, settings: SwapSettings) -> Generator:
    """The swapper in as many passes as the settings ask for."""
    generate: Generator = swapper.swap
    if not swapper.lower_face and settings.area != "upper half":
        frame = swapper.target
        generate = with_second_pass(generate, torch.tensor(frame.points), frame.size, settings.lower_face)
    return boosted(generate, settings.pixel_boost)


def _own(picture: Tensor, face: Face, swapper: Swapper) -> Tensor:
    """(width,): the identity of a face of the picture."""
    frame = swapper.source
    return swapper.identify(aligned_crop(picture, face, torch.tensor(frame.points), frame.size)[None])[0]


def _remarks(face: Face, swapper: Swapper, boost: int) -> list[str]:
    """What a person should know about one face."""
    lines = []
    if face.angles is not None and abs(face.angles[0]) > _TURNED:
        lines.append(f"the head is turned by {abs(face.angles[0]):.0f} degrees; generators do best below {_TURNED:.0f}")
    size = swapper.target.size * boost
    larger = 1 / scale_of(face_matrix(face, torch.tensor(swapper.target.points) * boost))
    if larger > _SOFT:
        lines.append(
            f"the face is {larger:.1f} times as large as the {size} pixels of {swapper.name}, and looks "
            "softer than the photograph; raise pixel_boost or restore the face"
        )
    return lines


def _check(swapper: Swapper, identity: Identity, settings: SwapSettings) -> None:
    check_provider(identity, swapper, "identity")
    if settings.faces not in FACES:
        raise ValueError(f"faces is '{settings.faces}'; choose one of {', '.join(FACES)}")
    if settings.faces == FACES[2] and settings.reference is None:
        raise ValueError("faces is 'like the reference', and no reference is wired in; wire in an identity of them")
    if settings.reference is not None:
        check_provider(settings.reference, swapper, "reference")
    for name, value in (("strength", settings.strength), ("lower_face", settings.lower_face)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; it goes from 0 to 1")
    if not 1 <= settings.pixel_boost <= MOST_TILES:
        raise ValueError(f"pixel_boost is {settings.pixel_boost}; it goes from 1 to {MOST_TILES}")
