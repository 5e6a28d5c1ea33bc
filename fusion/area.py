"""Where a part is blended: how far beyond its outline, and which neighbours it must leave alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..detectors.boxes import Window, bounding_box, window_of
from ..detectors.parts import Face
from ..detectors.regions import eye_distance
from ..detectors.schemes import anchors
from .outline import convex_hull, outlines, signed_distance, smoothstep
from .similarity import apply_affine

# Share of the reference's colour difference that bare skin keeps: most of that difference is coloured light.
_SKIN_COLOUR = 0.35


@dataclass(frozen=True)
class Reach:
    """How far one part is blended; lengths in outer-eye distances of the target.

    `grow`: up to this far beyond the outline the blend is wholly the reference's.
    `feather`: length over which the blend then fades out.
    `neighbours`: parts of either face that the blend must not touch.
    `band`: whether both sides are one area when the two faces look the same way.
    `colour`: 0..1, how much of its own colour the part keeps; the pixels around it are skin.
    """

    grow: float
    feather: float
    neighbours: tuple[str, ...] = ()
    band: bool = False
    colour: float = 1.0


# In drawing order: where two parts overlap, the later one covers the earlier one.
REACH: Mapping[str, Reach] = {
    "head": Reach(0.02, 0.12),
    "neck": Reach(0.02, 0.10),
    "skin": Reach(-0.10, 0.10),
    "ears": Reach(0.04, 0.10),
    "hair": Reach(0.04, 0.14, ("left_eye", "right_eye", "left_brow", "right_brow")),
    "brows": Reach(0.03, 0.10, ("left_eye", "right_eye"), colour=0.5),
    "left_brow": Reach(0.03, 0.10, ("left_eye",), colour=0.5),
    "right_brow": Reach(0.03, 0.10, ("right_eye",), colour=0.5),
    "eyes": Reach(0.10, 0.12, ("left_brow", "right_brow"), band=True),
    "left_eye": Reach(0.10, 0.12, ("left_brow",)),
    "right_eye": Reach(0.10, 0.12, ("right_brow",)),
    "nose": Reach(0.15, 0.12, ("left_eye", "right_eye", "left_brow", "right_brow", "mouth"), colour=_SKIN_COLOUR),
    "mouth": Reach(0.14, 0.12, ("nose",)),
    "lips": Reach(0.06, 0.08, ("nose",)),
    "inner_mouth": Reach(0.02, 0.06),
}
FEATURE_PARTS = tuple(REACH)
# Warping pixels is not enough for these: hair, for example, falls over what lies behind it.
_FEATURES_ONLY = ("head", "neck", "ears", "hair", "lips", "inner_mouth")
COMPOSITE_PARTS = tuple(part for part in REACH if part not in _FEATURES_ONLY)

# Lengths in outer-eye distances.
# How far a blend may reach over a neighbour's outline: outlines are drawn a little wide.
_SLIP = 0.02
# Length over which the blend returns to full strength outside a neighbour: a hard edge would show.
_RAMP = 0.02
# How far a blend may leave the target's face oval. The reference's oval: half, as hair and neck lie behind it.
_OVAL_MARGIN = 0.06
# Length over which every change fades to exactly 0 at the edge of its support.
_RIM = 0.08
# Beyond this distance from a part there should be skin only.
_SKIN_DISTANCE = 0.10
# Difference of the two faces' turns (see `_turn`) up to which eyes are one band, and the length of the transition.
_SAME_TURN = 0.05
_TURN_RAMP = 0.12


@dataclass(frozen=True, eq=False)
class Area:
    """Masks of one part over `window` (x0, y0, x1, y1) of the target, each (h, w) float32, 0..1.

    `alpha`: how much is the reference's.
    `support`: 1 wherever a pixel may change, falling to 0 at its edge.
    `ring`: pixels around the part in which both pictures should have one tone.
    `own_colour`: how much of its own colour a pixel keeps.
    `plain_skin`: 1 where the part has no colour of its own.
    `surroundings`: 1 around the part, where there should be skin only.
    """

    window: Window
    alpha: Tensor
    support: Tensor
    ring: Tensor
    own_colour: Tensor
    plain_skin: Tensor
    surroundings: Tensor


def blend_area(
    part: str, target: Face, reference: Face, matrix: Tensor, size: tuple[int, int], *, grow: float, follow: bool
) -> Area | None:
    """The area in which `part` of `reference` is blended into `target`.

    `part`: one of FEATURE_PARTS.
    `matrix`: (2, 3), pixels of the reference -> pixels of the target.
    `size`: H, W of the target's picture in pixels.
    `grow`: factor on the part's reach, >= 0; 1 is the tuned reach.
    `follow`: whether the part takes the target's outline, so that the reference's outline does not count.

    Returns None when the part lies outside the picture. Raises PartMissing when a face does not have it.
    """
    unit, reach = eye_distance(target), REACH[part]
    inner, fade = reach.grow * unit * (grow if reach.grow > 0 else 1), max(reach.feather * grow * unit, 1.0)
    target_rings = outlines(target, part)
    reference_rings = [apply_affine(matrix, ring) for ring in outlines(reference, part)]
    if not target_rings or not reference_rings:
        return None
    rings = target_rings if follow else target_rings + reference_rings
    window = window_of(bounding_box(torch.cat(rings)), size, max(0.0, inner + fade) + 1.5 * _RIM * unit)
    if window is None:
        return None
    distance = _distance(rings, window)
    if reach.band:
        turned = smoothstep(torch.tensor((abs(_turn(target) - _turn(reference)) - _SAME_TURN) / _TURN_RAMP))
        distance = torch.lerp(_distance([convex_hull(torch.cat(rings))], window), distance, turned)
    free = _free(part, target, reference, matrix, window)
    full = smoothstep((inner + fade - distance) / fade)
    # Inside its own outline the part is blended at full strength, whatever it covers there.
    core = smoothstep(0.5 - distance / (_RAMP * unit))
    support = smoothstep((inner + fade - distance) / (_RIM * unit) + 1)
    ring = smoothstep((distance - 0.3 * inner) / (0.3 * fade)) * support * free
    coloured = torch.zeros_like(distance)
    if reach.colour > _SKIN_COLOUR:
        coloured = smoothstep(1 - distance / (2 * _RAMP * unit))
    own_colour = _SKIN_COLOUR + (reach.colour - _SKIN_COLOUR) * coloured
    surroundings = smoothstep((distance / unit - _SKIN_DISTANCE) / _RIM)
    return Area(window, full * torch.maximum(free, core), support, ring, own_colour, 1 - coloured, surroundings)


def _free(part: str, target: Face, reference: Face, matrix: Tensor, window: Window) -> Tensor:
    """(h, w): 1 where the part may be blended, 0 on its neighbours and outside the skin of either face."""
    unit = eye_distance(target)
    free = torch.ones(window[3] - window[1], window[2] - window[0])
    rings = [
        ring
        for name in REACH[part].neighbours
        for ring in (*_outlines(target, name), *_outlines(reference, name, matrix))
    ]
    if rings:
        free = smoothstep((_distance(rings, window) / unit + _SLIP) / _RAMP)
    ovals = [(ring, _OVAL_MARGIN) for ring in _outlines(target, "skin")]
    ovals += [(ring, _OVAL_MARGIN / 2) for ring in _outlines(reference, "skin", matrix)]
    for oval, margin in ovals if part != "skin" else []:
        free = free * smoothstep((margin - signed_distance([oval], window) / unit) / (_RAMP + _SLIP))
    return free


def _outlines(face: Face, part: str, matrix: Tensor | None = None) -> list[Tensor]:
    """The outlines of `part`, moved by `matrix`; none when the face does not have it."""
    rings = outlines(face, part) if face.has(part) else []
    return rings if matrix is None else [apply_affine(matrix, ring) for ring in rings]


def _distance(rings: Sequence[Tensor], window: Window) -> Tensor:
    return torch.stack([signed_distance([ring], window) for ring in rings]).amin(0)


def _turn(face: Face) -> float:
    """Offset of the nose tip from the middle of the eyes, along the eyes, in eye distances; 0 for a frontal face."""
    if not face.scheme:
        return 0.0
    points = anchors(face.landmarks, face.scheme)
    across = points["right_eye"] - points["left_eye"]
    offset = points["nose_tip"] - (points["right_eye"] + points["left_eye"]) / 2
    return float((offset * across).sum() / (across * across).sum().clamp_min(1e-6))
