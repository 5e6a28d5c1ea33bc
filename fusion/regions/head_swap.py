"""A head swap in pixels: no model, both photographs as they are wherever they stay."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..dilation import dilate, dilate_area
from ..lab import to_lab, to_rgb
from ..mirror_fill import fill_with_mirrored
from ..outline import smoothstep
from ..push_pull import fill_holes
from .joint import coordinates
from .layout import BACKGROUND, BODY, FACE, HAIR, NECK, extent
from .pair import Pair
from .skin import skin_colour

TONES = ("neck follows face", "face follows neck", "half way", "as they are")
# Difference in RGB up to which two pixels are the same, and from which they are not.
_SAME = (0.03, 0.08)
# How far beyond its outline the old head is removed, in eye distances: parsers miss its last strands.
_RIM = 0.09
# The same of an old neck beside the new one.
_NECK_RIM = 0.03
# Largest factor on the strength of skin's colours.
_CHROMA = 2.5
# Least area of a visible neck whose colour is read, in squared eye distances.
_LEAST_NECK = 0.1
# How far beyond its visible part a head's neck is continued, in eye distances.
_NEARBY = 0.2
# Width of the edge of a neck that is not taken for its colour, in eye distances.
_EDGE = 0.05
# The ground around a head is read this far from each pixel, in eye distances.
_AROUND = 0.15
# Standard deviation of its colours from which it is busy.
_BUSY = 0.08
# How deep ground reaches at most into the outline that the parser gives a head, in eye distances.
_OUTLINE = 0.05
# A pixel is ground up to this distance from its colour, as a share of the distance from the head's colour to it; that
# one must be the second, in RGB.
_GROUND, _CONTRAST = 0.4, 0.2
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
    same = _same(pair)
    picture, changed = torch.lerp(picture, pair.body, same[..., None]), changed * (1 - same)
    return torch.where(changed[..., None] > 0, picture.clamp(0, 1), pair.body), changed


def _same(pair: Pair) -> Tensor:
    """(H, W) 0..1: where both photographs show the same; nothing needs to be made there."""
    difference = (pair.head - pair.body).abs().amax(-1)
    shared = torch.minimum(pair.head_areas, pair.body_areas).sum(0)
    same = smoothstep((_SAME[1] - difference) / (_SAME[1] - _SAME[0])) * smoothstep((shared - 0.8) / 0.15)
    # A few pixels that happen to have one colour are no reason.
    return same * smoothstep((_softened(same, max(1, round(_RIM * pair.body_neck.unit / 2))) - 0.7) / 0.3)


def toned(pair: Pair, tone: str) -> tuple[Tensor, Tensor]:
    """Both pictures, skin matched as `tone` says. Raises ValueError for another tone."""
    if tone not in TONES:
        raise ValueError(f"tone is '{tone}'; choose one of {', '.join(TONES)}")
    if tone == "as they are":
        return pair.head, pair.body
    sides = (pair.head, pair.head_areas), (pair.body, pair.body_areas)
    own, other = (_colour_of(picture, areas, pair.body_neck.unit) for picture, areas in sides)
    share = {"neck follows face": 1.0, "half way": 0.5, "face follows neck": 0.0}[tone]
    goal = torch.lerp(other, own, share)
    head = recoloured(pair.head, own, goal, (pair.head_areas[FACE] + pair.head_areas[NECK]).clamp(0, 1))
    return head, recoloured(pair.body, other, goal, pair.body_areas[NECK])


def _colour_of(picture: Tensor, areas: Tensor, unit: float) -> Tensor:
    """L, a, b (3,) of a person's skin: as light as the face, its tint half way between those of face and neck."""
    face, neck = skin_colour(picture, areas[FACE]), areas[NECK] > 0.95
    if float(neck.sum()) < _LEAST_NECK * unit**2:
        return face
    colour = to_lab(picture[neck]).median(0).values
    return torch.cat([face[:1], (face[1:] + colour[1:] * (face[0] / colour[0]).clamp(1, 2)) / 2])


def _toned_area(pair: Pair, tone: str) -> Tensor:
    return torch.zeros_like(pair.inside) if tone in TONES[1::2] else pair.body_areas[NECK]


def recoloured(picture: Tensor, skin: Tensor, goal: Tensor, area: Tensor) -> Tensor:
    """`picture` (H, W, 3) whose `skin` (L, a, b) becomes `goal`; black, grey and white stay what they are."""
    if torch.equal(skin, goal) or not bool((area > 0).any()):
        return picture
    window = extent(area)
    lab = to_lab(picture[window])
    lightness = lab[..., 0]
    darker = goal[0] * lightness / skin[0]
    lighter = 100 - (100 - goal[0]) * (100 - lightness) / (100 - skin[0])
    # Hue is turned and chroma multiplied.
    factor = torch.complex(*goal[1:]) / torch.complex(*skin[1:])
    factor = factor * (_CHROMA / factor.abs().clamp_min(1e-6)).clamp(max=1)
    tint = torch.complex(lab[..., 1], lab[..., 2]) * factor
    matched = torch.stack([torch.where(lightness < skin[0], darker, lighter), tint.real, tint.imag], -1)
    result = picture.clone()
    result[window] = torch.lerp(picture[window], to_rgb(matched), area[window][..., None])
    return result


def _hidden(pair: Pair) -> Tensor:
    """(H, W) 0..1: what shows the old head, with a rim, and the old neck beside the new one."""
    old = (pair.body_areas[HAIR] + pair.body_areas[FACE]) * (1 - pair.over)
    unit = pair.body_neck.unit
    grown = dilate_area(old > 0.15, max(1, round(_RIM * unit))).float()
    # Beside the face clothes and neck stay where they can be told from it; strands that hang over clothes cannot.
    sure = smoothstep((pair.body_areas[BODY] + pair.body_areas[NECK] - 0.85) / 0.1)
    below = (coordinates(old.shape, pair.body_neck.chin, pair.body_neck.down)[0] > 0).float()
    hair = dilate_area(pair.body_areas[HAIR] * (1 - pair.over) * below > 0.5, max(1, round(_RIM * unit)))
    hidden = torch.maximum(grown * (1 - sure * ~hair), (old * 4).clamp(0, 1))
    beside = pair.body_areas[NECK] - pair.areas[[NECK, HAIR, FACE]].sum(0)
    beside = dilate_area(beside > 0.4, max(1, round(_NECK_RIM * unit))) & (pair.body_areas[BODY] < 0.5)
    return _softened(torch.maximum(hidden, beside.float()), 1) * (1 - pair.over)


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
        fill = fill_holes(body, (weight > 0.99).float()) if kind == NECK else fill_with_mirrored(body, weight > 0.99)
        fills.append(fill)
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
    alpha = (areas[HAIR] + areas[FACE]).clamp(0, 1) * pair.inside
    alpha = _without_ground(pair, alpha) * (1 - pair.over)
    alpha = torch.where(alpha < 0.02, torch.zeros(()), alpha)
    known = (1 - dilate_area(alpha > 0.02, 1).float()) * pair.inside
    behind, solid = fill_holes(head, known), fill_holes(head, (alpha > 0.95).float())
    plain = _plainness(head, known, max(2, round(_AROUND * pair.body_neck.unit)))
    hair = (areas[HAIR] / alpha.clamp_min(1e-3)).clamp(0, 1)
    strands = ((alpha * 4).clamp(max=1) * hair * plain)[..., None]
    # Hair before a ground of its own colour has too wide an outline.
    tight = smoothstep((alpha - 0.25) / 0.6)
    front = torch.lerp(solid, head, torch.maximum(plain * hair, smoothstep((alpha - 0.8) / 0.15))[..., None])
    # Over clothes, whose colour is read less well than that of a ground, hair covers by its share.
    share = alpha * dilate_area(areas[BODY] > 0.5, max(1, round(_AROUND * pair.body_neck.unit)))
    through = plate + strands * (head - behind + share[..., None] * (behind - plate))
    return torch.lerp(through, front, tight[..., None]), torch.maximum(alpha, tight)


def _without_ground(pair: Pair, alpha: Tensor) -> Tensor:
    """`alpha` (H, W) of the head without what at its edge has the colour of the ground: parsers err by some pixels."""
    reach = max(2, round(_OUTLINE * pair.body_neck.unit))
    if not bool((alpha > 0).any()):
        return alpha
    rows, columns = (slice(max(0, side.start - reach), side.stop + reach) for side in extent(alpha))
    result, areas = alpha.clone(), pair.head_areas[:, rows, columns]
    result[rows, columns] = _cut(
        pair.head[rows, columns], areas, pair.inside[rows, columns], alpha[rows, columns], reach
    )
    return result


def _cut(head: Tensor, areas: Tensor, inside: Tensor, alpha: Tensor, reach: int) -> Tensor:
    """The same in a window of the head's picture; `reach`: pixels."""
    ground = (areas[BACKGROUND] * inside > 0.98) & ~dilate_area(alpha > 0.02, 1)
    inner = ~dilate_area(alpha < 0.95, reach) & (areas[FACE] > 0.95)
    if not bool(ground.any()) or not bool(inner.any()):
        return alpha
    behind = fill_holes(head, ground.float())
    contrast = (fill_holes(head, inner.float()) - behind).norm(dim=-1)
    ground_like = ((head - behind).norm(dim=-1) < _GROUND * contrast) & (contrast > _CONTRAST) & ~inner
    # Between strands of hair ground shows through anyway.
    ground_like = ground_like & (areas[HAIR] < 0.3)
    # From outside only: a highlight on an ear may have the ground's colour.
    reached = ground[None, None].float()
    passable = (ground_like | ground | (alpha < 0.5)).float()
    for _ in range(2 * reach):
        reached = dilate(reached, 1) * passable
    return alpha * (1 - _softened(((reached[0, 0] > 0) & ground_like & (alpha > 0.3)).float(), 1))


def _plainness(picture: Tensor, known: Tensor, reach: int) -> Tensor:
    """(H, W) 0..1: how even the known pixels around each pixel are, 1 = a plain ground."""
    stack = torch.cat([picture * known[..., None], picture.square() * known[..., None], known[..., None]], -1)
    # A spread over so many pixels is as well read from fewer.
    step = max(1, reach // 3)
    small = functional.avg_pool2d(stack.permute(2, 0, 1)[None], step, ceil_mode=True)
    sums = functional.avg_pool2d(small, 7, 1, 3)[0]
    weight = sums[6:].clamp_min(1e-4)
    variance = (sums[3:6] / weight - (sums[:3] / weight).square()).clamp_min(0).sum(0)
    plain = torch.exp(-variance / _BUSY**2)[None, None]
    return functional.interpolate(plain, known.shape, mode="bilinear", align_corners=False)[0, 0]
