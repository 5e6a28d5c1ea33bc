"""A person whose head or body is taken: the picture, the face, the layout and the neck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...detectors.parts import Face, FaceParts, of_input
from ..masks import part_mask
from .complete import calibrated
from .layout import BACKGROUND, FACE, HAIR, check_person, layout_of
from .neck import Neck, neck_of

# A hat smaller than this share of the head is an error of the parser.
_LEAST_HAT = 0.03
# How many times as far as above the middle of a face pixels below it count, when heads of neighbours are told apart.
_BELOW = 2.0


@dataclass(frozen=True, eq=False)
class ParsedPerson:
    """`picture`: (H, W, 3) float32, 0..1. `areas`: the layout (5, H, W), neighbours left out. `neck`: in pixels."""

    picture: Tensor
    face: Face
    areas: Tensor
    neck: Neck


def parsed_person(name: str, parts: FaceParts, i: int) -> ParsedPerson:
    """The chosen person of the i-th picture. Raises ValueError, naming the input, where there is none."""
    picture, face = parts.pictures[i], parts.face(i)
    with of_input(name, i, len(parts)):
        if face is None:
            raise ValueError(
                f"{name}: picture {i + 1} of {len(parts)} has no face; choose another picture, or lower the detector's "
                "threshold"
            )
        check_person(name, face)
        plain = layout_of(picture, face)
        others = [other for n, other in enumerate(parts.faces[i]) if n != parts.chosen[i]]
        if others:
            plain = without(plain, (plain[HAIR] + plain[FACE]) * _nearer_to(others, face, parts.size))
    neck = neck_of(face, plain)
    return ParsedPerson(picture, face, calibrated(plain, neck), neck)


def _nearer_to(others: Sequence[Face], face: Face, size: tuple[int, int]) -> Tensor:
    """(H, W), 1 in pixels that lie nearer to one of the other faces, in their sizes, than to `face`."""
    ys, xs = torch.arange(size[0])[:, None] + 0.5, torch.arange(size[1])[None] + 0.5
    distances = []
    for one in (face, *others):
        x0, y0, x1, y1 = one.box
        down = ys - (y0 + y1) / 2
        # A head reaches farther above the middle of its face than below; its height is the same however it is turned.
        down = torch.where(down > 0, _BELOW * down, down)
        distances.append(((xs - (x0 + x1) / 2).square() + down.square()) / max(x1 - x0, y1 - y0) ** 2)
    return (torch.stack(distances[1:]).amin(0) < distances[0]).float()


def hat_of(face: Face, shape: torch.Size) -> Tensor:
    """(H, W) 0..1: what a head wears, which is what is left of it without hair, face, ears and spectacles."""
    size = (shape[0], shape[1])
    head, *others = (
        part_mask(face, (part,), size) for part in ("head", "hair", "skin", "ears", "glasses") if face.has(part)
    )
    hat = (head - torch.stack(others).sum(0)).clamp(0, 1)
    return hat if float((hat > 0.5).sum()) > _LEAST_HAT * float((head > 0.5).sum()) else torch.zeros(size)


def without(areas: Tensor, area: Tensor) -> Tensor:
    """A layout (5, H, W) whose pixels under `area` (H, W) 0..1 are background."""
    rest = areas * (1 - area)
    rest[BACKGROUND] += area
    return rest
