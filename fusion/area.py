"""Where a part is blended: how far beyond its outline, and what of its surroundings is skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..detectors.boxes import Window, bounding_box, window_of
from ..detectors.parts import Face
from ..detectors.regions import down, eye_distance
from .outline import hull_around, outlines, signed_distances, smoothstep
from .placement import Placement


@dataclass(frozen=True)
class Reach:
    """How far one part's features are taken; lengths in outer-eye distances of the face.

    `grow`: up to this far beyond the outline they are wholly the part's.
    `feather`: length over which they then fade out.
    `neighbours`: parts that they must not touch.
    """

    grow: float
    feather: float
    neighbours: tuple[str, ...] = ()


# In drawing order: where two parts overlap, the later one covers the earlier one.
REACH: Mapping[str, Reach] = {
    "body": Reach(0.02, 0.12),
    "head": Reach(0.02, 0.12),
    "neck": Reach(0.02, 0.10),
    "skin": Reach(-0.10, 0.10),
    "ears": Reach(0.04, 0.10),
    "hair": Reach(0.04, 0.14, ("left_eye", "right_eye", "left_brow", "right_brow")),
    "brows": Reach(0.03, 0.10, ("left_eye", "right_eye")),
    "left_brow": Reach(0.03, 0.10, ("left_eye",)),
    "right_brow": Reach(0.03, 0.10, ("right_eye",)),
    "eyes": Reach(0.10, 0.12, ("left_brow", "right_brow")),
    "left_eye": Reach(0.10, 0.12, ("left_brow",)),
    "right_eye": Reach(0.10, 0.12, ("right_brow",)),
    "nose": Reach(0.15, 0.12, ("left_eye", "right_eye", "left_brow", "right_brow", "mouth")),
    "mouth": Reach(0.14, 0.12, ("nose",)),
    "lips": Reach(0.06, 0.08, ("nose",)),
    "inner_mouth": Reach(0.02, 0.06),
    "glasses": Reach(0.02, 0.06),
}
FEATURE_PARTS = tuple(REACH)
# Warping pixels is not enough for these: hair, for example, falls over what lies behind it.
_FEATURES_ONLY = ("body", "head", "neck", "ears", "hair", "lips", "inner_mouth", "glasses")
COMPOSITE_PARTS = tuple(part for part in REACH if part not in _FEATURES_ONLY)


@dataclass(frozen=True)
class Edge:
    """Where the edge of one part runs in pixels; lengths in outer-eye distances of the target.

    `inner`, `outer`: how far beyond the outline it may run.
    `feather`: length over which the blend fades across it.
    `skin`: 0..1, how far the part itself is skin, whose light is the target's; 0 for what has a light of its own.
    """

    inner: float
    outer: float
    feather: float = 0.08
    skin: float = 0.0


_EYE, _BROW = Edge(0.09, 0.16, skin=0.8), Edge(0.05, 0.13)
EDGES: Mapping[str, Edge] = {
    "skin": Edge(-0.16, -0.05, 0.10, skin=1.0),
    "left_brow": _BROW,
    "right_brow": _BROW,
    "left_eye": _EYE,
    "right_eye": _EYE,
    "nose": Edge(0.08, 0.16, skin=1.0),
    "mouth": Edge(0.10, 0.20, skin=0.3),
}
# How far a part keeps off one beside it, and a nose off the eyes, whose sockets are dark, in eye distances.
_BESIDE, _SOCKET = 0.02, 0.05
# What is not skin, and how far beyond its outline, in eye distances.
_NOT_SKIN = {"left_eye": 0.06, "right_eye": 0.06, "left_brow": 0.03, "right_brow": 0.03, "mouth": 0.03}
# Parts of the target that another part never covers: a mouth does not bring along a nose's lower edge.
_KEEPS_OFF = {"mouth": "nose"}
# What a part does not bring along beyond the target's own outline, and from how far on, in eye distances: an eye comes
# without its brow, a nose without the shadows of the sockets beside its bridge, and it leaves the target's as they are.
_COMES_WITHOUT = {
    "left_eye": {"left_brow": _BESIDE},
    "right_eye": {"right_brow": _BESIDE},
    "nose": {"left_eye": _SOCKET, "right_eye": _SOCKET},
}
# How much nearer the edge of a part may run below it, in eye distances: a moustache begins right below a nose.
_NEARER_BELOW = {"nose": 0.04}
# Mesh points around each nostril, and how far from their middle it is dark, in eye distances.
_NOSTRILS = ((75, 79, 238, 60), (305, 309, 458, 290))
_NOSTRIL = 0.05
# How far the face oval may be left, and the lengths over which skin and its light fade in, in eye distances.
_OVAL_MARGIN = 0.02
_SOFT = 0.04
# Added around the area, in eye distances, so that its light is read from enough skin.
_AROUND = 0.3


@dataclass(frozen=True, eq=False)
class Area:
    """One side of one part over `window` (x0, y0, x1, y1) of the target; maps are (h, w) float32.

    `hull`: (N, 2), the corners of what the edge runs around, in pixels of the target: their outlines, drawn in below.
    `distance`: from the outline of both faces together, in pixels, negative inside.
    `beyond_target`: 0..1, 1 beyond the target's own outline of the part.
    `beyond_reference`: 0..1, 1 beyond the reference's, where it shows skin; 1 everywhere for a part that is skin.
    `face`: 0..1, 1 where the part may be blended: inside both face ovals, off what it never covers.
    `skin`: 0..1, 1 where both faces show skin of the kind that surrounds the part.
    `bare`: 0..1, 1 where a nose, or what is around an eye or a mouth, is bare skin on both faces, nostrils left out;
    None where that is unknown.
    """

    window: Window
    hull: Tensor
    distance: Tensor
    beyond_target: Tensor
    beyond_reference: Tensor
    face: Tensor
    skin: Tensor
    bare: Tensor | None = None


def side_area(
    side: str, target: Face, reference: Face, placement: Placement, size: tuple[int, int], grow: float
) -> Area | None:
    """The area in which `side` (of EDGES) of `reference` is blended into `target`.

    `size`: H, W of the target's picture in pixels.
    `grow`: factor on the reach beyond the outline, >= 0; 1 is the tuned reach.

    Returns None when it lies outside the picture, or a painted region of it has no white pixel. Raises PartMissing when
    a face does not have the side.
    """
    unit, edge = eye_distance(target), EDGES[side]
    if not outlines(target, side) or not outlines(reference, side):
        return None
    of_target, of_reference = _rings(target), _rings(reference, placement)
    hull = hull_around(torch.cat(of_target[side] + of_reference[side]))
    outer = edge.outer * (grow if edge.outer > 0 else 1)
    window = window_of(bounding_box(hull), size, (max(outer, 0.0) + edge.feather + _AROUND) * unit)
    if window is None:
        return None
    around, *others = signed_distances([[hull], *of_target.values(), *of_reference.values()], window) / unit
    from_target = dict(zip(of_target, others, strict=False))
    from_reference = dict(zip(of_reference, others[len(of_target) :], strict=True))
    beyond_both = smoothstep(around / _SOFT)
    face, skin = torch.ones_like(around), edge.skin + (1 - edge.skin) * beyond_both
    for distances in (from_target, from_reference):
        if "skin" in distances:
            face = face * smoothstep((_OVAL_MARGIN - distances["skin"]) / _SOFT)
        for name, margin in _NOT_SKIN.items():
            if name in distances and name != side:
                skin = skin * smoothstep((distances[name] - margin) / _SOFT)
    if _KEEPS_OFF.get(side) in from_target:
        face = face * _off(from_target[_KEEPS_OFF[side]], _BESIDE)
    beyond_target = smoothstep(2 * from_target[side] / _SOFT)
    for other, margin in _COMES_WITHOUT.get(side, {}).items():
        for distances in (from_reference, from_target) if side == "nose" else (from_reference,):
            if other in distances:
                face = face * torch.lerp(torch.ones(()), _off(distances[other], margin), beyond_target)
    bare = _bare(target, reference, placement, window) if edge.skin > 0 else None
    if bare is not None and edge.skin < 1:
        bare = bare * beyond_both
    return Area(
        window,
        _raised(hull, down(target), _NEARER_BELOW.get(side, 0.0) * unit),
        around * unit,
        beyond_target,
        torch.ones_like(around) if edge.skin == 1 else smoothstep(from_reference[side] / _SOFT),
        face,
        skin * face,
        None if bare is None else bare * skin * face,
    )


def _off(distance: Tensor, margin: float) -> Tensor:
    """(h, w), 0..1: 0 within an outline and up to a margin beside it; `distance`: from it, in eye distances."""
    return smoothstep((distance - margin) / _SOFT)


def _raised(hull: Tensor, downward: Tensor | None, length: float) -> Tensor:
    """A hull (N, 2) whose lower half is drawn in, at its lowest point by `length` pixels."""
    if downward is None or not length:
        return hull
    depth = (hull - (hull.amin(0) + hull.amax(0)) / 2) @ downward
    return hull - length * (depth / depth.amax()).clamp_min(0)[:, None] * downward


def _bare(target: Face, reference: Face, placement: Placement, window: Window) -> Tensor | None:
    """(h, w), 0..1: 0 on nostrils; None without meshes, which say where nostrils are."""
    if not all(face.scheme.startswith("mediapipe") for face in (target, reference)):
        return None
    middles = [torch.stack([face.landmarks[list(ring)].mean(0) for ring in _NOSTRILS]) for face in (target, reference)]
    x0, y0, x1, y1 = window
    rows, columns = torch.meshgrid(torch.arange(y0, y1) + 0.5, torch.arange(x0, x1) + 0.5, indexing="ij")
    bare, unit = torch.ones(rows.shape), eye_distance(target)
    for x, y in torch.cat([middles[0], *placement.moved(middles[1:])]).tolist():
        distance = ((columns - x).square() + (rows - y).square()).sqrt() / unit
        bare = bare * smoothstep(distance / _NOSTRIL - 1)
    return bare


def features_mask(face: Face, window: Window) -> Tensor:
    """(h, w), 0..1: 1 on brows, eyes, nose and mouth of the face, with a little around them."""
    rings, mask = _rings(face), torch.zeros(window[3] - window[1], window[2] - window[0])
    rings.pop("skin", None)
    if not rings:
        return mask
    distances = signed_distances(list(rings.values()), window) / eye_distance(face)
    for name, distance in zip(rings, distances, strict=True):
        mask = torch.maximum(mask, smoothstep((EDGES[name].inner - distance) / (2 * _SOFT) + 0.5))
    return mask


def _rings(face: Face, placement: Placement | None = None) -> dict[str, list[Tensor]]:
    """The outline of each side of EDGES that the face shows, in the target's picture; `placement`: of a reference."""
    rings = {name: outlines(face, name) for name in EDGES if face.has(name)}
    rings = {name: own for name, own in rings.items() if own}
    if placement is None:
        return rings
    moved = placement.moved([ring for own in rings.values() for ring in own])
    return {name: [ring] for name, ring in zip(rings, moved, strict=True)}
