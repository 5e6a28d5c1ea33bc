"""One part of one face, blended into a photograph: warped to its place, relit, and cut along the least visible edge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.parts import GROUPS, Face
from ..detectors.regions import eye_distance
from .area import EDGES, Area, features_mask, side_area
from .coarse import coarse_size, shrunk
from .contrast import soften
from .cover import Cover
from .lab import to_lab, to_rgb
from .light import Light, meet, read_light, relight
from .monochrome import in_tone
from .outline import signed_distance, smoothstep
from .placement import Placement, place_part
from .seam import least_seam
from .sharpness import match_sharpness, texture
from .similarity import scale_of
from .suitability import Fit, is_covered, remarks, too_far_turned
from .warp import warp_mask, warp_window

# Samples per eye distance on which the edge of a part is searched.
_SAMPLES = 48
# Cost of a place, in steps of L, a and b: that of every place, which keeps the edge short, and that beyond the face.
_EVEN, _BEYOND_FACE = 1.5, 200.0
# Eye distances over which a part's outline fades out where its contrast is measured.
_INSIDE = 0.15


@dataclass(frozen=True)
class Style:
    """How parts are blended.

    `warp`: of WARPS. `tone`, `light`: 0..1. `grow`: 0..10, 1 is the tuned reach.
    `skin_only`: whether "skin" leaves brows, eyes, nose and mouth the target's.
    """

    warp: str = "similarity"
    tone: float = 1.0
    grow: float = 1.0
    light: float = 1.0
    skin_only: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """One face that gives one part to one picture.

    `picture`: (H, W, 3) float32, 0..1.
    `strength`: 0..1.
    `mask`: (H, W) on `picture`, 0..1, 1 = may be taken; None: everything may.
    `name`: what the report calls this person.
    `cover`: what lies over the face and is not taken; None: nothing.
    """

    picture: Tensor
    face: Face
    strength: float
    mask: Tensor | None = None
    name: str = ""
    cover: Cover | None = None


@dataclass(frozen=True, eq=False)
class Canvas:
    """The picture that is fused.

    `picture`: (H, W, 3) float32, 0..1; changed in place.
    `changed`: (H, W) float32, 0..1; raised in place where the picture may have changed.
    `mask`: (H, W), 0..1, 1 = the picture may change there; None: everywhere.
    `cover`: what lies over the target's face and stays on top; None: nothing.
    `tone`: (steps, 2), the colour of each lightness in a monochrome; None for a photograph in colour.
    """

    picture: Tensor
    changed: Tensor
    mask: Tensor | None
    cover: Cover | None = None
    tone: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """H, W in pixels."""
        return int(self.picture.shape[0]), int(self.picture.shape[1])


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a part on its way into a picture.

    `unit`: pixels per eye distance of the target.
    `features`: (h, w), 0..1, 1 where the target keeps its own brows, eyes, nose and mouth; None: nowhere.
    `cover`, `own_cover`: (h, w) or (), 0..1: what lies over the part on the reference and on the target.
    """

    name: str
    area: Area
    placement: Placement
    unit: float
    features: Tensor | None
    cover: Tensor
    own_cover: Tensor

    @cached_property
    def fit(self) -> Fit:
        """How well the reference suits the target, as far as that is known before they are compared."""
        inside = (self.area.distance < 0).float()
        shares = [float((one * inside).sum() / inside.sum().clamp_min(1)) for one in (self.cover, self.own_cover)]
        return Fit(
            self.placement.turn,
            scale_of(self.placement.matrix),
            cover_on_reference=shares[0],
            cover_on_target=shares[1],
        )


def lay_part(canvas: Canvas, face: Face, source: Source, part: str, style: Style) -> list[str]:
    """Blend one part of `source` into the target's `face` on the canvas.

    Returns what a person should know about it, in sentences.
    """
    hidden = [side for side in GROUPS.get(part, (part,)) if side in (*face.hidden, *source.face.hidden)]
    if hidden:
        whose = "the target" if hidden[0] in face.hidden else "the reference"
        return [f"left as it was: {hidden[0].replace('_', ' ')} cannot be seen, as {whose}'s head is turned away"]
    skin_only = part == "skin" and style.skin_only
    placement = place_part(part, face, source.face, skin_only or style.warp == "piecewise")
    if too_far_turned(part, placement.turn):
        return [f"left as it was: the heads look {placement.turn:.0f} degrees apart; choose a nearer reference"]
    placement = placement.at_share(source.strength)
    sides = [_side(name, canvas, face, source, placement, style) for name in GROUPS.get(part, (part,))]
    # Two eyes of different people would be worse than none: what cannot be blended on one side stays on both.
    for side in sides:
        if side and is_covered(side.fit):
            return remarks(side.fit)
    lines: list[str] = []
    for side in filter(None, sides):
        lines += [line for line in remarks(_lay_side(canvas, side, source, style)) if line not in lines]
    return lines


def _side(name: str, canvas: Canvas, face: Face, source: Source, placement: Placement, style: Style) -> Side | None:
    """None when it lies outside the picture."""
    area = side_area(name, face, source.face, placement, canvas.size, style.grow)
    if area is None:
        return None
    features = features_mask(face, area.window) if name == "skin" and style.skin_only else None
    own_cover = cover = torch.zeros(())
    if canvas.cover is not None:
        own_cover = canvas.cover.on_target(name, area.window)
    if source.cover is not None:
        cover = source.cover.on_reference(name, placement, area.window)
    return Side(name, area, placement, eye_distance(face), features, cover, own_cover)


def _lay_side(canvas: Canvas, side: Side, source: Source, style: Style) -> Fit:
    x0, y0, x1, y1 = window = side.area.window
    matrix, bend = side.placement.matrix, side.placement.bend
    pixels, usable = warp_window(source.picture, matrix, window, bend)
    usable = usable * (1 - side.cover) * (1 - side.own_cover)
    if source.mask is not None:
        usable = usable * warp_mask(source.mask, matrix, window, bend)
    if canvas.mask is not None:
        usable = usable * canvas.mask[y0:y1, x0:x1]
    local = canvas.picture[y0:y1, x0:x1]
    target, reference = to_lab(local), to_lab(pixels.clamp(0, 1))
    skin = side.area.skin * usable
    light = _light(target, reference, skin, side)
    reference = relight(reference, light, style.tone, style.light, EDGES[side.name].skin == 1)
    if side.area.bare is not None:
        inside = smoothstep(0.5 - side.area.distance / (_INSIDE * side.unit))
        reference = soften(reference, target, side.area.bare * usable, inside, side.unit, style.light)
    fine, sharpness = _sharpness(target, reference, skin)
    lightness = match_sharpness(reference[..., 0], sharpness, fine)
    reference = torch.cat([lightness[..., None], reference[..., 1:]], -1)
    alpha = _edge(side, (reference - target).abs().sum(-1), style.grow) * usable
    if side.features is not None:
        alpha = alpha * (1 - side.features)
    reference = meet(reference, target, alpha, side.unit)
    if canvas.tone is not None:
        colour = torch.lerp(reference[..., 1:], in_tone(reference[..., 0], canvas.tone), style.tone)
        reference = torch.cat([reference[..., :1], colour], -1)
    if source.strength < 1:
        target = to_lab(_reshaped(canvas.picture, side, alpha))
    blended = to_rgb(torch.lerp(target, reference, (alpha * source.strength)[..., None]))
    canvas.picture[y0:y1, x0:x1] = torch.where((alpha > 0)[..., None], blended, local)
    canvas.changed[y0:y1, x0:x1] = torch.maximum(canvas.changed[y0:y1, x0:x1], alpha)
    return replace(side.fit, texture=sharpness, gain=light.gain, slope=light.slope(alpha))


def _light(target: Tensor, reference: Tensor, skin: Tensor, side: Side) -> Light:
    # Inside its own outline a part has its own light, which is matched no finer than a part is large; a nose more
    # finely where a mesh says exactly which pixels are nose.
    distance = side.area.distance / side.unit - min(EDGES[side.name].inner, 0.0)
    return read_light(target, reference, skin, distance, side.unit, side.area.bare is not None)


def _sharpness(target: Tensor, reference: Tensor, skin: Tensor) -> tuple[float, float]:
    """The fine texture of the target's skin, and the reference's as a multiple of it; 1 where no skin can be seen."""
    fine = texture(target[..., 0], skin)
    return fine, texture(reference[..., 0], skin) / fine if fine > 0 else 1.0


def _edge(side: Side, difference: Tensor, grow: float) -> Tensor:
    """(h, w), 0..1: how far the blend is the reference's; the edge runs where the two differ least.

    `difference`: (h, w) >= 0, of both pictures in L, a, b.
    """
    area, unit, edge = side.area, side.unit, EDGES[side.name]
    # Beyond the skin of either face there is nothing to blend into.
    cost = difference + _BEYOND_FACE * (1 - area.face)
    cost = shrunk(cost[..., None], coarse_size(cost.shape, unit, _SAMPLES))
    cost = functional.avg_pool2d(cost, 3, 1, 1)[0, 0]
    inner, outer = (reach * (grow if reach > 0 else 1) for reach in (edge.inner, edge.outer))
    seam = least_seam(cost + _EVEN, area.hull, area.window, inner * unit, outer * unit)
    within = signed_distance([seam], area.window) / unit
    return smoothstep(0.5 - within / edge.feather) * area.face


def _reshaped(picture: Tensor, side: Side, alpha: Tensor) -> Tensor:
    """(h, w, 3): the target in the area, with its own part in the shape and place of the blended one."""
    x0, y0, x1, y1 = window = side.area.window
    if side.placement.bend is None:
        return picture[y0:y1, x0:x1]
    same = torch.eye(2, 3, dtype=torch.float64)
    moved, _ = warp_window(picture, same, window, (side.placement.own, side.placement.place), alpha)
    return moved.clamp(0, 1)
