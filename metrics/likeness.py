"""How like one another the same parts of two faces are, whatever their light and colour.

FuseAnyPart (NeurIPS 2024) reports a similarity of parts, FPSim, whose extractor and crop are not published. This one is
ours, and its figures cannot be compared with the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import bounding_box
from ..detectors.parts import GROUPS, Face, FaceParts
from ..detectors.schemes import anchors
from ..fusion.correspondence import shared_points
from ..fusion.similarity import apply_affine, compose_affine, fit_similarity
from ..fusion.warp import warp_window

# Longer side of a part's crop in pixels, and the margin on each side as a share of the part's longer side.
_SIDE, _MARGIN = 64, 0.05
# Pixels of a cell, cells along a block, and bins of unsigned orientation: Dalal and Triggs' own.
_CELL, _BLOCK, _BINS = 8, 2, 9
_EPSILON = 1e-5
# Rec. 709.
_LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])


class SamePart(ValueError):
    """Target and reference show the same part."""


def likeness(one: FaceParts, other: FaceParts, part: str) -> float:
    """0..1: the cosine of the part's descriptors, the other's laid over the one's; 1 for the same picture.

    `one`, `other`: one picture each, with a chosen face. Of a pair such as eyes the mean of both sides. Raises
    PartMissing for a face without the part.
    """
    cosines = [float(mine @ others) for mine, others in _sides([one, other], part)]
    return sum(cosines) / len(cosines)


def taken(result: FaceParts, target: FaceParts, reference: FaceParts, part: str) -> float:
    """How far the part went from the target's to the reference's: 0 it is the target's, 1 the reference's.

    The length along the straight way between both descriptors: what differs in other respects, as pixels do that were
    resampled, does not count. Each argument is one picture with a chosen face. Raises PartMissing for a face without
    the part, and SamePart where target and reference show the same one.
    """
    along = whole = 0.0
    for before, after, giver in _sides([target, result, reference], part):
        along += float((after - before) @ (giver - before))
        whole += float((giver - before).square().sum())
    if whole < _EPSILON:
        raise SamePart(f"target and reference show the same {part}, so nothing can be taken over")
    return along / whole


def oriented_gradients(grey: Tensor) -> Tensor:
    """(h, w) -> (n,) histogram of oriented gradients: 9 orientations, cells of 8 pixels, blocks of 2 x 2 cells.

    `h`, `w`: multiples of 8, at least 16.
    """
    down, across = torch.zeros_like(grey), torch.zeros_like(grey)
    down[1:-1] = grey[2:] - grey[:-2]
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    degrees = torch.rad2deg(torch.atan2(down, across)) % 180
    bins = (degrees * _BINS / 180).long() % _BINS
    strength = functional.one_hot(bins, _BINS).to(grey.dtype) * torch.hypot(down, across)[..., None]
    cells = functional.avg_pool2d(strength.movedim(-1, 0)[None], _CELL)[0].movedim(0, -1)
    blocks = cells.unfold(0, _BLOCK, 1).unfold(1, _BLOCK, 1).permute(0, 1, 3, 4, 2).flatten(2)
    return (blocks / (blocks.square().sum(-1, keepdim=True) + _EPSILON**2).sqrt()).flatten()


def _sides(people: Sequence[FaceParts], part: str) -> list[Tensor]:
    """For each side of a pair, or for the part, (N, n): each person's descriptor, laid over the first one's."""
    for person in people:
        _face(person).region(part)
    return [_descriptors(people, member) for member in GROUPS.get(part, (part,))]


def _descriptors(people: Sequence[FaceParts], part: str) -> Tensor:
    """(N, n), each of length 1: the part of each person, laid over the first one's."""
    faces = [_face(person) for person in people]
    frame, (height, width) = _frame(faces[0], part)
    descriptors = []
    for person, face in zip(people, faces, strict=True):
        matrix = frame
        if face is not faces[0]:
            own, first = shared_points(face, faces[0], part)
            matrix = compose_affine(frame, fit_similarity(own, first))
        pixels = warp_window(person.pictures[0], matrix, (0, 0, width, height))[0].clamp(0, 1)
        descriptors.append(oriented_gradients(pixels @ _LUMINANCE))
    return functional.normalize(torch.stack(descriptors), dim=1)


def _face(person: FaceParts) -> Face:
    face = person.face(0)
    if face is None:
        raise ValueError("a part's likeness needs a face in every picture; detect it, or use another picture")
    return face


def _frame(face: Face, part: str) -> tuple[Tensor, tuple[int, int]]:
    """(2, 3): pixels of the picture -> pixels of an upright crop around the part; and the crop's height and width."""
    points = shared_points(face, face, part)[0].double()
    turn = torch.eye(2, dtype=torch.float64)
    if face.scheme:
        named = anchors(face.landmarks, face.scheme)
        line = functional.normalize((named["right_eye"] - named["left_eye"]).double(), dim=0)
        turn = torch.stack([line, torch.stack([-line[1], line[0]])])
    x0, y0, x1, y1 = bounding_box(apply_affine(torch.cat([turn, torch.zeros(2, 1)], 1), points))
    margin = _MARGIN * max(x1 - x0, y1 - y0, 1.0)
    wide, high = x1 - x0 + 2 * margin, y1 - y0 + 2 * margin
    scale = _SIDE / max(wide, high)
    size = [max(2 * _CELL, round(side * scale / _CELL) * _CELL) for side in (high, wide)]
    middle = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2], dtype=torch.float64)
    corner = torch.tensor([size[1] / 2, size[0] / 2], dtype=torch.float64) - scale * middle
    return torch.cat([scale * turn, corner[:, None]], 1), (size[0], size[1])
