"""Tone matching: a reference's light and colour become the target's, read from the ring around the part."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .pyramid import broad_mean

_DARKEST, _LIGHTEST = 0.02, 0.98
_STEEPEST, _DEEPEST = 2.5, 1.4
_STRONGEST = 1.5
_PLAIN = 1.5
_FOREIGN = 0.06
_COARSE = 32
_HELD, _DOUBT = 0.05, 2.0


def match_tone(
    reference: Tensor, target: Tensor, ring: Tensor, amount: float = 1.0, own: Tensor | None = None
) -> Tensor:
    """Give `reference` the tone that `target` has on `ring`; pictures (h, w, 3) 0..1, `ring` weights (h, w) >= 0.

    First light and colour apart, by what the ring's mean needs: a curve for the light, which leaves black and white
    where they are; the colour stretched or taken back along its own hue, so that what is neutral stays so; and only the
    rest of the colour as a shift. Then what is left, as far as it looks like light falling from one side, as a plane
    fitted to the ring. Pixels of weight 0 never count. `amount` 0..1. `own` (h, w) 0..1: how much a pixel has a colour
    of its own (lips, irises); where it is low, the pixel is skin and takes the ring's colour. Default 1.
    """
    if amount <= 0 or float(ring.sum()) <= 0:
        return reference
    few = _few(ring)
    goal = target[few, few]
    weights = _without_strays(reference[few, few], goal, ring[few, few])
    aim = weighted_mean(goal, weights)
    lit = _relit(reference, weighted_mean(reference[few, few], weights), aim)
    toned = _recoloured(lit, weighted_mean(lit[few, few], weights), aim, own)
    plane = _plane(goal - toned[few, few], weights)
    return torch.lerp(reference, toned + _over(plane, ring.shape), amount)


def match_skin(reference: Tensor, target: Tensor, skin: Tensor, levels: int, amount: float = 1.0) -> Tensor:
    """Give `reference` the colour, not the light, that `target`'s skin has in the same places; pictures (h, w, 3).

    Cheeks are redder than chins, and coloured light falls from one side. `skin` (h, w) 0..1: where both show skin; from
    there the colour goes over into what lies between. It is taken broadly, over about 2 ** `levels` pixels, so that
    freckles and folds stay the reference's. `amount` 0..1.
    """
    if amount <= 0:
        return reference
    few = _few(skin)
    here, goal = reference[few, few], target[few, few]
    light, there = here.mean(-1, keepdim=True), goal.mean(-1, keepdim=True)
    # Neither a shadow nor a highlight can show as much colour as the light between them.
    room, had = light * (1 - light), (there * (1 - there)).clamp_min(_DARKEST)
    apart = (goal - there) * (room / had).clamp(0, _STRONGEST) - (here - light)
    return reference + amount * broad_mean(apart, skin[few, few], levels - 1 if few.step else levels, skin.shape)


def weighted_mean(picture: Tensor, weights: Tensor) -> Tensor:
    """Mean over the selected pixels only: (h, w, C) and (h, w) -> (C,)."""
    return (picture * weights[..., None]).sum((0, 1)) / weights.sum().clamp_min(1e-12)


def _few(weights: Tensor) -> slice:
    """Statistics need no full resolution: every second pixel of every second row is a quarter of the work."""
    enough = min(weights.shape) > _COARSE and float(weights[::2, ::2].sum()) > 0
    return slice(None, None, 2) if enough else slice(None)


def _relit(picture: Tensor, mean: Tensor, aim: Tensor) -> Tensor:
    """`picture` (h, w, 3) under the curve that takes the light of `mean` (3,) to that of `aim`.

    A power curve; but a steep one would sink shadows to black, so up to the mean its exponent is _DEEPEST at most, and
    above the mean the curve rises from there to the white that the power would give.
    """
    light, wanted = (float(colour.mean().clamp(_DARKEST, _LIGHTEST)) for colour in (mean, aim))
    power = min(max(math.log(wanted) / math.log(light), 1 / _STEEPEST), _STEEPEST)
    picture, deep = picture.clamp(0, 1), min(power, _DEEPEST)
    if deep == power:
        return picture**power
    lighter = ((picture.mean(-1, keepdim=True) - light) / (1 - light)).clamp_min(0)
    return wanted * (picture / light) ** deep * light ** ((deep - power) * lighter.square())


def _recoloured(picture: Tensor, mean: Tensor, aim: Tensor, own: Tensor | None) -> Tensor:
    """`picture` with its colour (what is left after the light) scaled and shifted so that `mean` (3,) becomes `aim`."""
    before = picture.mean(-1, keepdim=True)
    light = before + (aim.mean() - mean.mean())
    has, wants = mean - mean.mean(), aim - aim.mean()
    scale = min(max(float((has @ wants) / (has @ has).clamp_min(1e-6)), 0.0), _STRONGEST)
    shift = (wants - scale * has) * (4 * light * (1 - light)).clamp(0, 1)
    colour = _stretched(picture - before, scale, float(has.norm())) + shift
    if own is not None:
        skin = wants * (light / aim.mean().clamp_min(_DARKEST)).clamp(0, _STRONGEST)
        # Where both sides already have one colour there is nothing to take.
        foreign = min(1.0, float((wants - has).norm()) / _FOREIGN)
        colour = torch.lerp(colour, skin, foreign * (1 - own[..., None]))
    return light + colour


def _stretched(colour: Tensor, scale: float, usual: float) -> Tensor:
    """`colour` (h, w, 3) times `scale`; above 1, what is stronger than the `usual` grows by no more than that does.

    Paler skin wants more colour, and red lips in it would glow.
    """
    if scale <= 1:
        return scale * colour
    share = (_PLAIN * usual / colour.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp_max(1)
    return colour + (scale - 1) * share * colour


def _without_strays(reference: Tensor, target: Tensor, ring: Tensor) -> Tensor:
    """`ring` without what is far from its own light on either side: brows, hair, lashes, a shadow's edge."""
    weights = ring
    for picture in (reference, target):
        light = picture.mean(-1)
        mean = float((light * ring).sum() / ring.sum())
        deviation = math.sqrt(float(((light - mean) ** 2 * ring).sum() / ring.sum())) + 0.02
        weights = weights * torch.exp(-0.5 * ((light - mean) / (1.5 * deviation)).square().square())
    return weights


def _plane(rest: Tensor, weights: Tensor) -> Tensor:
    """The plane a + b x + c y, x and y in -1..1, that `rest` (h, w, 3) follows under `weights` (h, w): (3, 3).

    Its mean is the mean of `rest`. Its slopes are those of the best fit, and the smaller the less of `rest` they
    explain: what does not look like light from one side is relief, and a part keeps its own.
    """
    h, w = weights.shape
    x, y = torch.linspace(-1, 1, w).expand(h, w), torch.linspace(-1, 1, h)[:, None].expand(h, w)
    share, places, values = weights.reshape(-1, 1), torch.stack([x, y], -1).reshape(-1, 2), rest.reshape(-1, 3)
    share = share / share.sum().clamp_min(1e-12)
    middle, mean = (share * places).sum(0), (share * values).sum(0)
    places, values = places - middle, values - mean
    weighted = (share * places).T
    # Held back a little, so that a ring with one side only cannot tilt it.
    slopes = torch.linalg.solve(weighted @ places + _HELD * torch.eye(2), weighted @ values)
    left = (share * (values - places @ slopes).square()).sum()
    explained = ((share * values.square()).sum() - left).clamp_min(0)
    slopes = slopes * (explained / (explained + _DOUBT * left).clamp_min(1e-12))
    return torch.cat([(mean - middle @ slopes)[None], slopes])


def _over(plane: Tensor, size: torch.Size) -> Tensor:
    x, y = torch.linspace(-1, 1, size[1])[None, :, None], torch.linspace(-1, 1, size[0])[:, None, None]
    return (plane[0] + plane[2] * y) + plane[1] * x
