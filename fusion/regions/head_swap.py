"""A head swap in pixels: no model, both photographs as they are wherever they stay."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..dilation import dilate, dilate_area
from ..lab import from_light, to_light, to_rgb
from ..outline import smoothstep
from ..push_pull import fill_holes
from .layout import BACKGROUND, BODY, FACE, HAIR, NECK
from .pair import Pair
from .skin import skin_colour

TONES = ("neck follows face", "face follows neck", "half way", "as they are")
# How far beyond its outline the old head is removed, in eye distances: parsers miss its last strands.
_RIM = 0.09
# Largest factor, and its inverse, on the linear light of skin that takes another's tone.
_GAIN = 4.0
# How far beyond its visible part a head's neck is continued, in eye distances.
_NEARBY = 0.2
# Width of the edge of a neck that is not taken for its colour, in eye distances.
_EDGE = 0.05
# The ground around a head is read this far from each pixel, in eye distances.
_AROUND = 0.15
# Standard deviation of its colours from which it is busy.
_BUSY = 0.08
# From where to where along the neck, from the chin on, the head's neck gives way to the body's; shares of its length.
_FROM, _TO = 0.1, 0.9


def swap_head(pair: Pair, tone: str = TONES[0]) -> tuple[Tensor, Tensor]:
    """The new person (H, W, 3), and (H, W) 0..1: where the picture is not the body's, bit for bit.

    `tone`: of TONES, whose skin tone follows whose.
    """
    head, body = toned(pair, tone)
    hidden = _hidden(pair)
    plate = _without_old_head(pair, body, hidden)
    plate, neck_weight = _with_neck(pair, plate, head)
    picture, weight = _with_head(pair, plate, head)
    changed = torch.maximum(torch.maximum(hidden, weight), torch.maximum(neck_weight, _toned_area(pair, tone)))
    return torch.where(changed[..., None] > 0, picture.clamp(0, 1), pair.body), changed


def toned(pair: Pair, tone: str) -> tuple[Tensor, Tensor]:
    """Both pictures, skin matched as `tone` says. Raises ValueError for another tone."""
    if tone not in TONES:
        raise ValueError(f"tone is '{tone}'; choose one of {', '.join(TONES)}")
    if tone == "as they are":
        return pair.head, pair.body
    own, other = (_mean_skin(p, a) for p, a in ((pair.head, pair.head_areas), (pair.body, pair.body_areas)))
    gain = ((own + 0.01) / (other + 0.01)).clamp(1 / _GAIN, _GAIN)
    share = {"neck follows face": 1.0, "half way": 0.5, "face follows neck": 0.0}[tone]
    head = _gained(pair.head, gain ** (share - 1), (pair.head_areas[FACE] + pair.head_areas[NECK]).clamp(0, 1))
    body = _gained(pair.body, gain**share, pair.body_areas[NECK])
    return head, body


def _toned_area(pair: Pair, tone: str) -> Tensor:
    return torch.zeros_like(pair.inside) if tone in TONES[1::2] else pair.body_areas[NECK]


def _mean_skin(picture: Tensor, areas: Tensor) -> Tensor:
    """Linear light (3,) of the face's bare skin."""
    return to_light(to_rgb(skin_colour(picture, areas[FACE])))


def _gained(picture: Tensor, gain: Tensor, area: Tensor) -> Tensor:
    light = to_light(picture) * gain
    # What would be lighter than white comes near to it instead.
    light = torch.where(light > 0.8, 1 - 0.2 * torch.exp(-(light - 0.8) / 0.2), light)
    return torch.lerp(picture, from_light(light), area[..., None])


def _hidden(pair: Pair) -> Tensor:
    """(H, W) 0..1: what shows the old head, with a rim, and the old neck beside the new one."""
    old = (pair.body_areas[HAIR] + pair.body_areas[FACE]) * (1 - pair.over)
    unit = pair.body_neck.unit
    grown = dilate_area(old > 0.15, max(1, round(_RIM * unit))).float()
    # Clothes and neck stay where they can be told from the head.
    sure = smoothstep((pair.body_areas[BODY] + pair.body_areas[NECK] - 0.85) / 0.1)
    hidden = torch.maximum(grown * (1 - sure), (old * 4).clamp(0, 1))
    beside = (
        pair.body_areas[NECK]
        * (1 - pair.areas[NECK])
        * (1 - pair.areas[BODY])
        * (1 - pair.areas[HAIR] - pair.areas[FACE]).clamp(0)
    )
    beside = smoothstep((beside - 0.3) / 0.4)
    beside = dilate_area(beside > 0.5, max(1, round(0.03 * unit))).float() * (
        1 - smoothstep((pair.areas[BODY] - 0.5) / 0.3)
    )
    return _softened(torch.maximum(hidden, beside), 1) * (1 - pair.over)


def _softened(mask: Tensor, pixels: int) -> Tensor:
    """The mean of a mask (H, W) over a square that reaches `pixels` to each side."""
    side, image = 2 * pixels + 1, mask[None, None]
    image = functional.avg_pool2d(image, (side, 1), 1, (pixels, 0), count_include_pad=False)
    return functional.avg_pool2d(image, (1, side), 1, (0, pixels), count_include_pad=False)[0, 0]


def _without_old_head(pair: Pair, body: Tensor, hidden: Tensor) -> Tensor:
    """The body's picture with what its head hid: background, neck and clothes, each from its own kind."""
    free, own = 1 - hidden, pair.body_areas
    areas = pair.areas / pair.areas[[BACKGROUND, NECK, BODY]].sum(0).clamp_min(1e-3)
    fills = []
    for kind in (BACKGROUND, NECK, BODY):
        weight = smoothstep((own[kind] - 0.8) / 0.15) * free
        weight = torch.where(weight > 0.99, weight, torch.zeros(()))
        fills.append(fill_holes(body, weight))
    filled = sum(fill * areas[kind][..., None] for fill, kind in zip(fills, (BACKGROUND, NECK, BODY), strict=True))
    total = areas[[BACKGROUND, NECK, BODY]].sum(0)[..., None]
    filled = filled + fills[0] * (1 - total).clamp(0, 1)
    return torch.lerp(body, filled, hidden[..., None])


def _with_neck(pair: Pair, plate: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """`plate` with the head's own neck laid under its jaw, giving way to the body's towards the collar."""
    unit = pair.body_neck.unit
    # Without its edge, which a collar and the shade under it share.
    own = 1 - dilate((1 - pair.head_areas[NECK])[None, None], max(2, round(_EDGE * unit)))[0, 0]
    known = (own > 0.9).float()
    if float(known.sum()) < 0.02 * unit**2:
        return plate, torch.zeros_like(own)
    colours = fill_holes(head, known)
    h, w = own.shape
    ys, xs = torch.arange(h)[:, None] + 0.5, torch.arange(w)[None] + 0.5
    neck = pair.head_neck
    along = (xs - neck.chin[0]) * neck.down[0] + (ys - neck.chin[1]) * neck.down[1]
    length = max(pair.body_neck.base, 0.4 * unit)
    near = smoothstep((_TO - along / length) / (_TO - _FROM))
    # Only where the head's picture shows neck nearby.
    reach = _softened((own > 0.5).float(), max(1, round(_NEARBY * unit)))
    weight = near * smoothstep(reach / 0.5) * pair.areas[NECK]
    return torch.lerp(plate, colours, weight[..., None]), weight


def _with_head(pair: Pair, plate: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """Hair and face over the plate.

    Behind a plain ground single strands stay: what shone through the hair is exchanged for what shines through now.
    Where the ground was busy, half transparent pixels take the colour of the hair beside them.
    """
    areas = pair.head_areas
    alpha = (areas[HAIR] + areas[FACE]).clamp(0, 1) * pair.inside * (1 - pair.over)
    alpha = torch.where(alpha < 0.02, torch.zeros(()), alpha)
    known = (1 - dilate_area(alpha > 0.02, 1).float()) * pair.inside
    behind, solid = fill_holes(head, known), fill_holes(head, (alpha > 0.95).float())
    plain = _plainness(head, known, max(2, round(_AROUND * pair.body_neck.unit)))
    hair = (areas[HAIR] / alpha.clamp_min(1e-3)).clamp(0, 1)
    strands = ((alpha * 4).clamp(max=1) * hair * plain)[..., None]
    # Hair before a ground of its own colour has too wide an outline.
    tight = smoothstep((alpha - 0.25) / 0.6)
    front = torch.lerp(solid, head, torch.maximum(plain * hair, smoothstep((alpha - 0.8) / 0.15))[..., None])
    through = plate + strands * (head - behind)
    return torch.lerp(through, front, tight[..., None]), torch.maximum(alpha, tight)


def _plainness(picture: Tensor, known: Tensor, reach: int) -> Tensor:
    """(H, W) 0..1: how even the known pixels around each pixel are, 1 = a plain ground."""
    stack = torch.cat([picture * known[..., None], picture.square() * known[..., None], known[..., None]], -1)
    sums = torch.stack([_softened(t, reach) for t in stack.unbind(-1)], -1)
    weight = sums[..., 6:].clamp_min(1e-4)
    variance = (sums[..., 3:6] / weight - (sums[..., :3] / weight).square()).clamp_min(0).sum(-1)
    return torch.exp(-variance / _BUSY**2)
