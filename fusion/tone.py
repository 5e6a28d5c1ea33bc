"""Tone matching: the reference takes the light and colour that the target has in the ring around the part."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Light, 0..1, is kept within these in logarithms and divisions, so that black and white stay finite.
_DARKEST = 0.02
_LIGHTEST = 0.98
# Largest exponent of the curve that relights a picture, and the inverse of the smallest.
_STEEPEST = 2.5
# Largest exponent below the mean light: a steeper curve sinks shadows to black.
_STEEPEST_IN_SHADOW = 1.4
# Largest factor on the strength of a colour.
_STRONGEST = 1.5
# A colour up to this many times as strong as the mean one grows with it; a stronger one, such as lips, would glow.
_USUAL = 1.5
# Shortest side in pixels above which statistics are read at half resolution.
_HALF_RESOLUTION = 32
# Added to the variance of the places (x and y in -1..1) when a plane is fitted: a ring with one side cannot tilt it.
_DAMPING = 0.05
# How many times variance that a plane leaves counts against the variance that it explains.
_DOUBT = 2.0


def match_tone(reference: Tensor, target: Tensor, ring: Tensor, amount: float = 1.0) -> Tensor:
    """`reference` in the tone that `target` has on `ring`.

    Light and colour are matched one after the other, each by its mean over the ring: the light by a curve that leaves
    black and white where they are; the colour by a factor, so that neutral pixels stay neutral, and a shift for what
    is left. Then the rest is added as a plane fitted to the ring, as far as it looks like light from one side.

    `reference`, `target`: (h, w, 3) float32, 0..1, over the same window.
    `ring`: (h, w) float32 weights >= 0; pixels of weight 0 never count.
    `amount`: 0..1; 0 returns `reference`.

    Returns (h, w, 3) float32, which may leave 0..1.
    """
    if amount <= 0 or float(ring.sum()) <= 0:
        return reference
    lines = _lines(ring)
    goal = target[lines, lines]
    weights = _without_strays(reference[lines, lines], goal, ring[lines, lines])
    goal_mean = weighted_mean(goal, weights)
    relit = _relit(reference, weighted_mean(reference[lines, lines], weights), goal_mean)
    toned = _recoloured(relit, weighted_mean(relit[lines, lines], weights), goal_mean)
    plane = _plane(goal - toned[lines, lines], weights)
    return torch.lerp(reference, toned + _drawn_plane(plane, ring.shape), amount)


def weighted_mean(picture: Tensor, weights: Tensor) -> Tensor:
    """The mean (C,) of `picture` (h, w, C) under `weights` (h, w) >= 0."""
    return (picture * weights[..., None]).sum((0, 1)) / weights.sum().clamp_min(1e-12)


def _lines(weights: Tensor) -> slice:
    """The rows and columns that statistics read: of a large picture every second, a quarter of the work."""
    halve = min(weights.shape) > _HALF_RESOLUTION and float(weights[::2, ::2].sum()) > 0
    return slice(None, None, 2) if halve else slice(None)


def _relit(picture: Tensor, mean: Tensor, goal: Tensor) -> Tensor:
    """`picture` (h, w, 3) under the curve that takes the light of the colour `mean` (3,) to that of `goal` (3,).

    A power; but up to the mean its exponent is _STEEPEST_IN_SHADOW at most, and above the mean the curve rises from
    there to the white that the power would give.
    """
    light, goal_light = (float(colour.mean().clamp(_DARKEST, _LIGHTEST)) for colour in (mean, goal))
    power = min(max(math.log(goal_light) / math.log(light), 1 / _STEEPEST), _STEEPEST)
    picture, shadow_power = picture.clamp(0, 1), min(power, _STEEPEST_IN_SHADOW)
    if shadow_power == power:
        return picture**power
    above_mean = ((picture.mean(-1, keepdim=True) - light) / (1 - light)).clamp_min(0)
    return goal_light * (picture / light) ** shadow_power * light ** ((shadow_power - power) * above_mean.square())


def _recoloured(picture: Tensor, mean: Tensor, goal: Tensor) -> Tensor:
    """`picture` (h, w, 3), its colour (difference from its light) changed so that `mean` (3,) becomes `goal` (3,)."""
    light_before = picture.mean(-1, keepdim=True)
    light = light_before + (goal.mean() - mean.mean())
    mean_colour, goal_colour = mean - mean.mean(), goal - goal.mean()
    factor = float((mean_colour @ goal_colour) / (mean_colour @ mean_colour).clamp_min(1e-6))
    factor = min(max(factor, 0.0), _STRONGEST)
    shift = (goal_colour - factor * mean_colour) * (4 * light * (1 - light)).clamp(0, 1)
    return light + _scaled(picture - light_before, factor, float(mean_colour.norm())) + shift


def _scaled(colour: Tensor, factor: float, mean_strength: float) -> Tensor:
    """`colour` (h, w, 3) times `factor`; above 1, a colour far stronger than the mean one grows no more than that.

    Paler skin gains colour, and red lips in it would glow.
    """
    if factor <= 1:
        return factor * colour
    share = (_USUAL * mean_strength / colour.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp_max(1)
    return colour + (factor - 1) * share * colour


def _without_strays(reference: Tensor, target: Tensor, ring: Tensor) -> Tensor:
    """`ring` without pixels whose light on either side is far from the mean: brows, hair, lashes, a shadow's edge."""
    weights = ring
    for picture in (reference, target):
        light = picture.mean(-1)
        mean = float((light * ring).sum() / ring.sum())
        deviation = math.sqrt(float(((light - mean) ** 2 * ring).sum() / ring.sum())) + 0.02
        weights = weights * torch.exp(-0.5 * ((light - mean) / (1.5 * deviation)).square().square())
    return weights


def _plane(rest: Tensor, weights: Tensor) -> Tensor:
    """(3, 3): the rows a, b, c of the plane a + b x + c y, x and y in -1..1, fitted to `rest` (h, w, 3).

    Its mean is the weighted mean of `rest`. Its slopes are those of the best fit, shrunk the more the less variance
    they explain: variance that does not look like light from one side is relief, and a part keeps its own relief.
    """
    h, w = weights.shape
    x, y = torch.linspace(-1, 1, w).expand(h, w), torch.linspace(-1, 1, h)[:, None].expand(h, w)
    share, points, values = weights.reshape(-1, 1), torch.stack([x, y], -1).reshape(-1, 2), rest.reshape(-1, 3)
    share = share / share.sum().clamp_min(1e-12)
    middle, mean = (share * points).sum(0), (share * values).sum(0)
    points, values = points - middle, values - mean
    weighted = (share * points).T
    slopes = torch.linalg.solve(weighted @ points + _DAMPING * torch.eye(2), weighted @ values)
    unexplained = (share * (values - points @ slopes).square()).sum()
    explained = ((share * values.square()).sum() - unexplained).clamp_min(0)
    slopes = slopes * (explained / (explained + _DOUBT * unexplained).clamp_min(1e-12))
    return torch.cat([(mean - middle @ slopes)[None], slopes])


def _drawn_plane(plane: Tensor, size: torch.Size) -> Tensor:
    x, y = torch.linspace(-1, 1, size[1])[None, :, None], torch.linspace(-1, 1, size[0])[:, None, None]
    return (plane[0] + plane[2] * y) + plane[1] * x
