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

# Skin keeps this share of the difference in colour that its reference shows, which is mostly coloured light.
_SKIN = 0.35


@dataclass(frozen=True)
class Reach:
    """How one part is blended; lengths in outer-eye distances of the target.

    Wholly the reference's up to `grow` beyond the outline, fading out over `feather` more. `spares`: neighbours that
    are neither covered nor brought along. `band`: both sides are one area when the two faces look the same way.
    `colour`: how much of a colour of its own the part has; all around it is skin.
    """

    grow: float
    feather: float
    spares: tuple[str, ...] = ()
    band: bool = False
    colour: float = 1.0


# In the order in which they are laid: a later part covers an earlier one where they overlap.
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
    "nose": Reach(0.15, 0.12, ("left_eye", "right_eye", "left_brow", "right_brow", "mouth"), colour=_SKIN),
    "mouth": Reach(0.14, 0.12, ("nose",)),
    "lips": Reach(0.06, 0.08, ("nose",)),
    "inner_mouth": Reach(0.02, 0.06),
}
FEATURE_PARTS = tuple(REACH)
# Fused in pixels, the others would need more than warping: hair falls over what lies behind it.
_FEATURES_ONLY = ("head", "neck", "ears", "hair", "lips", "inner_mouth")
COMPOSITE_PARTS = tuple(part for part in REACH if part not in _FEATURES_ONLY)

# Lengths in outer-eye distances. A neighbour's outline may be touched by _SLIP, its surroundings _RAMP further on are
# free; the target's oval may be left by _OVER at most, the reference's, which has hair and neck behind it, by half;
# the rim is where a change dies out for good; from _BARE on around a part there should be nothing but skin.
_SLIP, _RAMP, _OVER, _RIM, _BARE = 0.02, 0.02, 0.06, 0.08, 0.10


@dataclass(frozen=True, eq=False)
class Area:
    """Masks over `window` (x0, y0, x1, y1) of the target, each (h, w) in 0..1.

    `alpha`: how much is the reference's. `support`: 1 wherever anything may change, falling to 0 at its rim.
    `ring`: the pixels around the part where both sides should have one tone. `own`: how much a pixel has a colour of
    its own. `plain`: where it has none. `skin`: where there should be nothing but skin around the part.
    """

    window: Window
    alpha: Tensor
    support: Tensor
    ring: Tensor
    own: Tensor
    plain: Tensor
    skin: Tensor


def blend_area(
    part: str, target: Face, reference: Face, matrix: Tensor, size: tuple[int, int], *, grow: float, follow: bool
) -> Area | None:
    """The area of `part` when `matrix` (2, 3) lays `reference` over `target`, in a picture of `size` (H, W).

    `grow` scales the reach; `follow`: the part takes the target's outline, so only that counts. None when nothing of
    it lies in the picture.
    """
    unit, reach = eye_distance(target), REACH[part]
    inner, fade = reach.grow * unit * (grow if reach.grow > 0 else 1), max(reach.feather * grow * unit, 1.0)
    there, laid = outlines(target, part), _laid(reference, part, matrix)
    if not there or not laid:
        return None
    rings = there if follow else there + laid
    window = window_of(bounding_box(torch.cat(rings)), size, max(0.0, inner + fade) + 1.5 * _RIM * unit)
    if window is None:
        return None
    distance = _distance(rings, window)
    if reach.band:
        turned = smoothstep(torch.tensor((abs(_turn(target) - _turn(reference)) - 0.05) / 0.12))
        distance = torch.lerp(_distance([convex_hull(torch.cat(rings))], window), distance, turned)
    free = _free(part, target, reference, matrix, window)
    full = smoothstep((inner + fade - distance) / fade)
    # Inside its own outline the part is laid whole, whatever it covers there.
    core = smoothstep(0.5 - distance / (_RAMP * unit))
    support = smoothstep((inner + fade - distance) / (_RIM * unit) + 1)
    ring = smoothstep((distance - 0.3 * inner) / (0.3 * fade)) * support * free
    coloured = smoothstep(1 - distance / (2 * _RAMP * unit)) if reach.colour > _SKIN else torch.zeros_like(distance)
    own = _SKIN + (reach.colour - _SKIN) * coloured
    skin = smoothstep((distance / unit - _BARE) / _RIM)
    return Area(window, full * torch.maximum(free, core), support, ring, own, 1 - coloured, skin)


def _free(part: str, target: Face, reference: Face, matrix: Tensor, window: Window) -> Tensor:
    """1 where nothing else of either face is touched, 0 on spared neighbours and off the face's skin."""
    unit = eye_distance(target)
    free = torch.ones(window[3] - window[1], window[2] - window[0])
    neighbours = [r for p in REACH[part].spares if target.has(p) for r in outlines(target, p)]
    neighbours += [r for p in REACH[part].spares if reference.has(p) for r in _laid(reference, p, matrix)]
    if neighbours:
        free = smoothstep((_distance(neighbours, window) / unit + _SLIP) / _RAMP)
    ovals = [(oval, _OVER) for oval in outlines(target, "skin")] if target.has("skin") else []
    ovals += [(oval, _OVER / 2) for oval in _laid(reference, "skin", matrix)] if reference.has("skin") else []
    for oval, over in ovals if part != "skin" else []:
        free = free * smoothstep((over - signed_distance([oval], window) / unit) / (_RAMP + _SLIP))
    return free


def _laid(face: Face, part: str, matrix: Tensor) -> list[Tensor]:
    return [apply_affine(matrix, ring) for ring in outlines(face, part)]


def _distance(rings: Sequence[Tensor], window: Window) -> Tensor:
    return torch.stack([signed_distance([ring], window) for ring in rings]).amin(0)


def _turn(face: Face) -> float:
    """How far the nose tip lies from the middle of the eyes, along the eyes, in eye distances; 0 when frontal."""
    if not face.scheme:
        return 0.0
    named = anchors(face.landmarks, face.scheme)
    across = named["right_eye"] - named["left_eye"]
    offset = named["nose_tip"] - (named["right_eye"] + named["left_eye"]) / 2
    return float((offset * across).sum() / (across * across).sum().clamp_min(1e-6))
