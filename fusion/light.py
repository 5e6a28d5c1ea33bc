"""Broad light and colour from the target, fine texture from the reference, in CIELAB.

Broad is what lies between a part's pores and its face: the shade of a cheek, a cast of colour. It is read from skin
alone, so that lips, irises and brows keep their own colour and do not tint the skin around them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .coarse import coarse_size, enlarged, gaussian, shrunk
from .outline import smoothstep

# Widths of the Gaussians that read the light, in eye distances: the first fills what the others do not reach; the
# second is the finest inside a part, whose own shape must stay; the last two match the skin around it.
_WIDTHS = (0.64, 0.3, 0.16, 0.08)
_FINEST_INSIDE = 0.3
# The finest inside bare skin, whose shape shows in its edges and in finer shades.
_FINEST_BARE = 0.16
# Samples per eye distance when the light is read.
_SAMPLES = 32
# Share of skin under a Gaussian from which its mean begins to count, and at which it counts alone.
_SOME_SKIN, _ENOUGH_SKIN = 0.1, 0.35
# Distance from a part, in eye distances, at which the light is matched as finely as on skin.
_RAMP = 0.06
# Lightness is kept this far from black and white before dividing by it.
_MARGIN = 2.0
# A pixel of this share of the skin's lightness, or darker, is raised by no more than its share: black stays black.
_DARK = 0.5
# Largest share of the reference's skin lightness by which it is darkened.
_DARKENING = 0.45
# From this ratio of lightness on, texture of a dark reference would be lifted into noise.
STRONGEST_GAIN = 1.8
# A target of less chroma than this share of the reference's is monochrome.
_GREY = 0.4
# By how much the strength of the reference's colours follows their lightness.
_STRENGTH = (0.5, 1.1)
# By how much the shades of bare skin follow the strength of the target's colours.
_SHADES = (0.12, 1.4)
# Chroma of what counts as neutral, the share of a cast of colour that neutral pixels take over, and how much lighter
# than skin, as a share, a tooth is at least.
_NEUTRAL, _LEAST_CAST, _WHITE = 3.0, 0.35, 0.15
# Width in eye distances over which a part is shifted to meet the target at its edge, the largest such shift in steps of
# L, a and b (a larger one is a feature and no light), and the share of edge that must be near for half of it.
_MEETING, _LARGEST_STEP, _LEAST_EDGE = 0.1, 25.0, 0.05


@dataclass(frozen=True, eq=False)
class Light:
    """Broad L, a, b of skin in two pictures, (h, w, 3) each, and what the means differ by, (3,)."""

    target: Tensor
    reference: Tensor
    difference: Tensor

    @property
    def gain(self) -> float:
        """How many times as light as the reference's skin the target's is."""
        lightness = self.reference[..., 0].clamp_min(_MARGIN)
        return float((lightness + self.difference[0]).clamp_min(_MARGIN).mean() / lightness.mean())

    def slope(self, weights: Tensor) -> float:
        """The standard deviation of the difference of L under weights (h, w): light from another side."""
        return spread((self.target - self.reference)[..., 0], weights)


def spread(values: Tensor, weights: Tensor) -> float:
    """The standard deviation of values (h, w) under weights (h, w) >= 0."""
    total = weights.sum().clamp_min(1e-6)
    mean = (values * weights).sum() / total
    return float((((values - mean).square() * weights).sum() / total).sqrt())


def read_light(
    target: Tensor, reference: Tensor, skin: Tensor, distance: Tensor, unit: float, bare: bool = False
) -> Light:
    """The broad light of both pictures around a part.

    `target`, `reference`: (h, w, 3) L, a, b over the same window.
    `skin`: (h, w), 0..1: how far both show skin of the kind that surrounds the part.
    `distance`: (h, w), from the part's outline, in eye distances, negative inside.
    `unit`: pixels per eye distance.
    `bare`: whether the part is skin, which is matched more finely than eyes and lips.
    """
    size = coarse_size(skin.shape, unit, _SAMPLES)
    step = skin.shape[0] / size[0] / unit
    both = torch.cat([target, reference, torch.ones_like(skin)[..., None]], -1) * skin[..., None]
    both = shrunk(both, size)
    beyond = smoothstep(shrunk(distance[..., None], size) / _RAMP)
    means = _mean(gaussian(both, _WIDTHS[0] / step))
    levels = {}
    for width in _WIDTHS[1:]:
        blurred = gaussian(both, width / step)
        share = smoothstep((blurred[:, 6:] - _SOME_SKIN) / (_ENOUGH_SKIN - _SOME_SKIN))
        means = levels[width] = torch.lerp(means, _mean(blurred), share)
    inner = levels[_FINEST_BARE if bare else _FINEST_INSIDE]
    means = enlarged(torch.lerp(inner, means, beyond), skin.shape)
    weights = skin * smoothstep(1 - (distance.abs() - 0.1) / 0.2) + 1e-6
    mean = (means * weights[..., None]).sum((0, 1)) / weights.sum()
    return Light(means[..., :3], means[..., 3:], mean[:3] - mean[3:])


def _mean(blurred: Tensor) -> Tensor:
    """(1, 7, h, w), the last channel the weight of the others -> (1, 6, h, w)."""
    return blurred[:, :6] / blurred[:, 6:].clamp_min(1e-4)


def relight(reference: Tensor, light: Light, tone: float, amount: float, around: Tensor, bare: bool = False) -> Tensor:
    """`reference` (h, w, 3) L, a, b in the light of the target.

    `around`: (h, w), 0..1, 1 on the skin around the part, where white is a glare and no tooth or white of an eye.
    `tone`: 0..1, share of the mean difference of lightness and colour that is taken over.
    `amount`: 0..1, share of what differs from place to place: shadow, highlight, coloured light from one side.
    `bare`: whether the part is skin, which takes a cast of colour wholly; eyes and teeth do not.
    """
    local = light.target - light.reference
    shift = tone * light.difference + amount * (local - light.difference)
    skin = light.reference[..., 0].clamp(_MARGIN, 100 - _MARGIN)
    goal = (skin + shift[..., 0]).clamp_min(_DARKENING * skin).clamp(_MARGIN, 100 - _MARGIN)
    limit = STRONGEST_GAIN * skin
    goal = torch.where(goal > limit, (goal + limit) / 2, goal)
    lightness = reference[..., 0]
    below_white = torch.lerp((100 - lightness) / (100 - skin), torch.ones(()), around)
    room = torch.minimum(lightness / skin, below_white) / _DARK
    relit = lightness + (goal - skin) * room.clamp(0, 1)
    # Darker colours are weaker, or lips would glow.
    strength = _own_colour(light, tone, bare) * (goal / skin).clamp(*_STRENGTH)
    cast = light.reference[..., 1:] * (1 - strength[..., None]) + shift[..., 1:]
    share = (2 * relit / goal).clamp(0, 1)
    if not bare:
        # Teeth, the white of an eye and black show less of a cast of colour than skin does.
        chroma, of_skin = (chroma_of(side) + _NEUTRAL for side in (reference, light.reference))
        share = share * (chroma / of_skin).clamp(_LEAST_CAST, 1)
    own = reference[..., 1:]
    if bare:
        # On skin of another hue a shade has that hue.
        own = light.reference[..., 1:] + (own - light.reference[..., 1:]) @ _turn_of_hue(light, tone)
    colour = own * strength[..., None] + cast * share[..., None]
    if not bare:
        # What is lighter than skin shows the colour of the light, in which skin is as colourful as it is.
        weaker = (chroma_of(light.target) / chroma_of(light.reference).clamp_min(_NEUTRAL)).clamp_max(1)
        white = smoothstep((lightness / skin - 1) / _WHITE - 0.5) * (1 - around)
        colour = torch.lerp(colour, reference[..., 1:] * (1 - tone * (1 - weaker))[..., None], white[..., None])
    return torch.cat([relit[..., None], colour], -1)


def meet(
    reference: Tensor, target: Tensor, alpha: Tensor, unit: float, around: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> Tensor:
    """`reference` shifted in lightness and colour so that it meets the target where the blend changes between them.

    Further inside the part the shift fades out.

    `reference`, `target`: (h, w, 3) L, a, b over the same window.
    `alpha`: (h, w), 0..1, how far the blend is the reference's.
    `unit`: pixels per eye distance.
    `around`: pixels on the left, right, top and bottom of the window where nothing is blended. The shift is read on
        samples of the window with them, so that it does not depend on how closely the part is cropped.
    """
    left, right, top, bottom = around
    (rows, columns), whole = alpha.shape, (alpha.shape[0] + top + bottom, alpha.shape[1] + left + right)
    size = coarse_size(whole, unit, _SAMPLES)
    step = whole[0] / size[0] / unit
    edge = 4 * alpha * (1 - alpha)
    difference = (target - reference).clamp(-_LARGEST_STEP, _LARGEST_STEP)
    stack = torch.cat([difference, torch.ones_like(edge)[..., None]], -1) * edge[..., None]
    blurred = gaussian(shrunk(functional.pad(stack, (0, 0, *around)), size), _MEETING / step)
    shift = blurred[:, :3] / (blurred[:, 3:] + _LEAST_EDGE)
    return reference + enlarged(shift, whole)[top : top + rows, left : left + columns]


def _own_colour(light: Light, tone: float, bare: bool) -> Tensor:
    """(h, w), >= 0: with which strength the reference's own shades of colour stay.

    Nearly 0 in a black-and-white target. Bare skin differs from place to place as its colours are strong, so its shades
    follow the target's, up and down.
    """
    target, reference = chroma_of(light.target), chroma_of(light.reference).clamp_min(_NEUTRAL)
    kept = (target.mean() / (_GREY * reference.mean())).clamp_max(1)
    if bare:
        kept = kept * (target / reference).clamp(*_SHADES)
    return 1 - tone * (1 - kept.expand(target.shape))


def _turn_of_hue(light: Light, amount: float) -> Tensor:
    """(2, 2), by which a and b, as a row, turn from the hue of the reference's skin to the target's."""
    (a, b), (a2, b2) = (side[..., 1:].mean((0, 1)).tolist() for side in (light.reference, light.target))
    angle = amount * math.atan2(a * b2 - b * a2, a * a2 + b * b2)
    return torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def chroma_of(lab: Tensor) -> Tensor:
    """(h, w) of L, a, b (h, w, 3). Several times as fast as the norm."""
    return lab[..., 1:].square().sum(-1).sqrt()
