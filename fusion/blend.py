"""One part of one face, laid into a photograph: warped to its place, relit, and cut along the least visible edge."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.parts import GROUPS, Face
from .area import EDGES, Area
from .canvas import Canvas, Source, Style
from .coarse import coarse_size, shrunk
from .contrast import soften
from .facial_hair import lip_is_hidden, moustache
from .lab import to_lab
from .layer import Layer, mix
from .levels import match_colours, match_levels, shade_of_eye
from .light import Light, read_light, relight
from .lips import warm_lips
from .outline import signed_distance, smoothstep
from .seam import least_seam
from .sharpness import in_sharpness_of
from .side import Side, looks_aside, placement_of, sides_of
from .similarity import scale_of
from .spots import clear_spots
from .suitability import Fit, is_covered, is_in_shadow, remarks, too_far_turned
from .warp import sampled
from .whites import match_whites

# Samples per eye distance on which the edge of a part is searched.
_SAMPLES = 48
# Cost of a place, in steps of L, a and b: that of every place, which keeps the edge short, and that beyond the face.
_EVEN, _BEYOND_FACE = 1.5, 200.0
# Share of hair above the lips from which a moustache is worn, and below which none is.
_MOUSTACHE, _NO_MOUSTACHE = 0.6, 0.3
# Advice for heads that look apart.
_NEARER = "choose a nearer reference"
# Eye distances over which a part's outline fades out where its contrast is measured.
_INSIDE = 0.15


def lay_part(canvas: Canvas, face: Face, source: Source, part: str, style: Style) -> tuple[list[Layer], list[str]]:
    """Blend one part of `source` wholly into the target's `face` on the canvas.

    Returns its layers, which `mix` lays at another strength, and what a person should know about it, in sentences.
    """
    hidden = [side for side in GROUPS.get(part, (part,)) if side in (*face.hidden, *source.face.hidden)]
    if hidden:
        whose = "the target" if hidden[0] in face.hidden else "the reference"
        return [], [f"left as it was: {hidden[0].replace('_', ' ')} cannot be seen, as {whose}'s head is turned away"]
    placement = placement_of(part, face, source, style)
    if too_far_turned(part, placement.turn):
        return [], [f"left as it was: the heads look {placement.turn:.0f} degrees apart; {_NEARER}"]
    # Where nobody looks for covers, it is taken as it is.
    if part == "mouth" and source.cover is not None and (reason := _moustache_between(canvas, face, source)):
        return [], [f"left as it was: {reason}; choose another photograph"]
    sides = sides_of(part, canvas, face, source, placement, style)
    # Two eyes of different people would be worse than none: what cannot be blended on one side stays on both.
    for side in sides:
        if is_covered(side.fit):
            return [], remarks(side.fit)
        if side.source is not source and looks_aside(side.source.face, side.name):
            return [], ["left as it was: the far eye is seen from its edge, and the near one looks aside; " + _NEARER]
    layers_and_fits = [_layer(canvas, side, style) for side in sides]
    for _, fit in layers_and_fits:
        if is_in_shadow(fit):
            return [], remarks(fit)
    lines: list[str] = []
    for layer, fit in layers_and_fits:
        mix(canvas, layer, 1.0, style)
        lines += [line for line in remarks(fit) if line not in lines]
    return [layer for layer, _ in layers_and_fits], lines


def _moustache_between(canvas: Canvas, face: Face, source: Source) -> str:
    """Why a mouth beside a moustache cannot be taken; "" where it can."""
    if moustache(source.picture, source.face) < _MOUSTACHE:
        return ""
    if lip_is_hidden(source.picture, source.face):
        return "a moustache hangs over the lips on the reference"
    if moustache(canvas.picture, face) < _NO_MOUSTACHE:
        return "a moustache, or a shadow as dark, lies above the lips on the reference alone"
    return ""


def _layer(canvas: Canvas, side: Side, style: Style) -> tuple[Layer, Fit]:
    """The side as it lies over the canvas as it is, and how well it suits."""
    source, area = side.source, side.area
    x0, y0, x1, y1 = window = area.window
    spots, scale = side.placement.points_on_reference(window), scale_of(side.placement.matrix)
    pixels, usable = sampled(source.picture, spots, scale)
    usable = usable * (1 - side.cover) * (1 - side.own_cover)
    limit = 1 - side.own_cover
    if source.mask is not None:
        usable = usable * sampled(source.mask[..., None], spots, scale)[0][..., 0].clamp(0, 1)
    if canvas.mask is not None:
        usable, limit = usable * canvas.mask[y0:y1, x0:x1], limit * canvas.mask[y0:y1, x0:x1]
    target, reference = to_lab(canvas.picture[y0:y1, x0:x1]), to_lab(pixels.clamp(0, 1))
    skin = area.skin * usable
    is_skin = EDGES[side.name].skin == 1
    light = _light(target, reference, skin, side)
    own = _within(area, usable, is_skin)
    shade = shade_of_eye(reference, light.reference, own) if side.name in GROUPS["eyes"] else 1.0
    reference = relight(reference, light, style.tone, style.light, area.beyond_reference, is_skin)
    hardness = 1.0
    if area.bare is not None:
        inside = smoothstep(0.5 - area.distance / (_INSIDE * side.unit))
        reference, hardness = soften(reference, target, area.bare * usable, inside, side.unit, style.light)
    reference, sharpness = in_sharpness_of(target, reference, skin)
    # Where nobody looked for facial hair it would be taken for spots.
    if area.bare is not None and not is_skin and source.cover is not None:
        reference = clear_spots(reference, target, area.bare * usable, side.unit, style.light)
    reference = _levelled(side, reference, target, light.target, own, style.light)
    alpha = _edge(side, (reference - target).abs().sum(-1)) * usable
    if side.features is not None:
        alpha, limit = alpha * (1 - side.features), limit * (1 - side.features)
    slope = light.slope(alpha)
    fit = replace(side.fit, texture=sharpness, gain=light.gain, slope=slope, hardness=hardness, shade=shade)
    # Without the maps that the placement keeps.
    placement = replace(side.placement)
    return Layer(window, side.unit, placement, reference, alpha, limit.expand_as(alpha)).cropped(), fit


def _within(area: Area, usable: Tensor, is_skin: bool) -> Tensor:
    """(h, w), 0..1: 1 inside the reference's outline of the part, or the target's where the part is skin."""
    return (1 - (area.beyond_target if is_skin else area.beyond_reference)) * usable


def _levelled(side: Side, reference: Tensor, target: Tensor, skin: Tensor, own: Tensor, amount: float) -> Tensor:
    """`reference` (h, w, 3) with darks, lights and whites of the target's own part.

    `skin`: (h, w, 3), the broad L, a, b of the target's skin. `own`: of `_within`.
    """
    # Of a nose only a mesh says which pixels are skin.
    is_nose = side.name == "nose" and side.area.bare is not None
    if not is_nose and side.name not in (*GROUPS["eyes"], "mouth"):
        return reference
    # As far beyond its outline as the reference's own, so that equal parts have equal levels.
    others = own > 0.5 if is_nose else (side.area.beyond_target < 1) & (side.own_cover < 0.5)
    within, levelled = (own > 0.5, others), reference
    # An open mouth and a closed one have other levels in any light.
    if side.name == "mouth":
        levelled = warm_lips(reference, target, skin, *within)
    else:
        levelled = match_levels(reference, target, skin, *within, weaker_only=is_nose)
    if is_nose:
        levelled = match_colours(levelled, target, skin, own, side.unit)
    else:
        levelled = match_whites(levelled, target, skin, *within)
    return torch.lerp(reference, levelled, amount * own[..., None])


def _light(target: Tensor, reference: Tensor, skin: Tensor, side: Side) -> Light:
    # Inside its own outline a part has its own light, which is matched no finer than a part is large; a nose more
    # finely where a mesh says exactly which pixels are nose.
    distance = side.area.distance / side.unit - min(EDGES[side.name].inner, 0.0)
    bare = side.area.bare is not None and EDGES[side.name].skin == 1
    return read_light(target, reference, skin, distance, side.unit, bare)


def _edge(side: Side, difference: Tensor) -> Tensor:
    """(h, w), 0..1: how far the blend is the reference's; the edge runs where the two differ least.

    `difference`: (h, w) >= 0, of both pictures in L, a, b.
    """
    area, unit, edge = side.area, side.unit, EDGES[side.name]
    # Beyond the skin of either face there is nothing to blend into.
    cost = difference + _BEYOND_FACE * (1 - area.face)
    cost = shrunk(cost[..., None], coarse_size(cost.shape, unit, _SAMPLES))
    cost = functional.avg_pool2d(cost, 3, 1, 1)[0, 0]
    inner, outer = (reach * (side.grow if reach > 0 else 1) for reach in (edge.inner, edge.outer))
    seam = least_seam(cost + _EVEN, area.hull, area.window, inner * unit, outer * unit)
    within = signed_distance([seam], area.window) / unit
    return smoothstep(0.5 - within / edge.feather) * area.face
