"""Head-cover augmentation, as HS-Diffusion trains its layout generator.

Another person's head silhouette lies over a person's layout; the person's own face and hair stay above it, the neck is
taken out, and what both hid is to be found again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from ...fusion.dilation import dilate
from ...fusion.regions.layout import BACKGROUND, BODY, FACE, HAIR, NECK
from ...injection.hs_diffusion.layout_net import CHOICE, REACH, SIDE, VISIBLE, cut
from ..core.order import Order
from .layouts import FRAME, UNIT, Stored

# Largest shift of a cover in eye distances, and standard deviations of the logarithm of its size.
_SHIFT, _SIZE = 0.15, 0.08
# Largest enlargement of a person's own head: another's jaw may lie lower on the neck than the neck's own.
_LARGER = 0.07
# Least and largest side of the square as shares of the usual one, and largest turn in degrees.
_NEAREST, _WIDEST, _TURN = 0.7, 1.3, 8.0


@dataclass(frozen=True, eq=False)
class Covered:
    """One layout under a cover. `known`: (5, F, F), `hidden`: (F, F), `target`: (5, F, F), all 0 beyond the picture."""

    known: Tensor
    hidden: Tensor
    target: Tensor


def covered(own: Tensor, cover: Tensor) -> Covered:
    """`own`: a layout (5, F, F). `cover`: (F, F) 0..1, another head's silhouette in its place."""
    head = own[HAIR] + own[FACE]
    hidden = torch.maximum(cover * own.sum(0), own[NECK]).clamp(max=1) * (1 - head)
    known = own.clone()
    known[NECK] = 0
    known[[BACKGROUND, BODY]] *= 1 - torch.maximum(cover, own[NECK])
    # Soft edges: what neither class keeps is hidden, so that a pixel of the picture is 1 in sum.
    return Covered(known, (own.sum(0) - known.sum(0)).clamp(0, 1) * (hidden > 0), own)


def silhouette(areas: Tensor) -> Tensor:
    return (areas[HAIR] + areas[FACE]).clamp(0, 1)


class Samples:
    """Batches of inputs (N, 5, SIDE, SIDE), targets (N, 3, SIDE, SIDE) and weights (N, SIDE, SIDE) without end."""

    def __init__(self, people: Sequence[Stored], batch: int, seed: int) -> None:
        self.people, self.batch = people, batch
        self._order = Order(Generator().manual_seed(seed))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return self

    def __next__(self) -> tuple[Tensor, Tensor, Tensor]:
        random = self._order.random
        people = [self.people[i] for i in self._order.take(len(self.people), self.batch)]
        inputs, targets, weights = zip(*(one(p.areas, self._cover(random), random) for p in people), strict=True)
        return torch.stack(inputs), torch.stack(targets), torch.stack(weights)

    def state_dict(self) -> dict[str, Any]:
        return self._order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._order.load_state_dict(state)

    def _cover(self, random: Generator) -> Tensor:
        """The larger of two heads every other time: long hair is rare, and hides most."""
        picks = torch.randint(len(self.people), (2,), generator=random).tolist()
        heads = [silhouette(self.people[i].areas) for i in picks]
        return max(heads, key=lambda head: float(head.sum())) if _chance(0.5, random) else heads[0]


def one(own: Tensor, cover: Tensor, random: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """One sample: the network's input, the shares of CHOICE that are right, and how much each cell counts."""
    if _chance(0.5, random):
        own = extended(own)
    cover = _moved(cover[None], math.exp(_normal(_SIZE, random)), random, _chance(0.5, random))[0]
    if _chance(0.5, random):
        # Parsers miss the last strands of hair, and people who mask by hand are generous.
        cover = dilate(cover[None, None], 1 + int(_chance(0.5, random)))[0, 0]
    if _chance(0.5, random):
        own = _with_larger_head(own, 1 + _LARGER * _uniform(0, 1, random))
    sample = covered(own, cover)
    stack = torch.cat([sample.known[list(VISIBLE)], sample.hidden[None], sample.target[list(CHOICE)]])
    stack = cut(stack, _view(random), SIDE)
    inputs, target = stack[: len(VISIBLE) + 1], stack[len(VISIBLE) + 1 :]
    weight = inputs[-1] * target.sum(0).clamp(max=1)
    return inputs, target / target.sum(0).clamp_min(1e-3), weight


def extended(own: Tensor) -> Tensor:
    """A layout whose picture goes on below and beside its border as the border is: portraits end at the shoulders."""
    inside = own.sum(0) > 0.99
    rows, columns = (torch.nonzero(inside.any(axis)).flatten() for axis in (1, 0))
    cells = torch.arange(FRAME)
    wide = own[:, cells.clamp(max=int(rows[-1]))][:, :, cells.clamp(int(columns[0]), int(columns[-1]))]
    # Only clothes and ground go on; a neck or a lock of hair that meets the border ends there.
    beyond = torch.zeros_like(wide)
    beyond[BODY] = wide[BODY] + wide[NECK]
    beyond[BACKGROUND] = wide.sum(0) - beyond[BODY]
    return own + beyond * (1 - own.sum(0)).clamp(min=0)


def _with_larger_head(own: Tensor, factor: float) -> Tensor:
    """The head enlarged about the point between the eyes, over the layout."""
    centre = torch.tensor([FRAME / 2, FRAME / 2 - UNIT])
    matrix = torch.cat([torch.eye(2) * factor, (centre * (1 - factor))[:, None]], 1)
    head = cut(own[[HAIR, FACE]], matrix, FRAME) * own.sum(0)
    result = own * (1 - head.sum(0)).clamp(0, 1)
    result[[HAIR, FACE]] += head
    return result


def _moved(maps: Tensor, factor: float, random: Generator, mirrored: bool) -> Tensor:
    centre, shift = FRAME / 2, torch.tensor([_uniform(-_SHIFT, _SHIFT, random) for _ in range(2)]) * UNIT
    linear = torch.diag(torch.tensor([-factor if mirrored else factor, factor]))
    return cut(maps, torch.cat([linear, (centre + shift - linear @ torch.full((2,), centre))[:, None]], 1), FRAME)


def _view(random: Generator) -> Tensor:
    """(2, 3): cells of the frame -> cells of the network's square, which is turned, scaled, shifted and mirrored."""
    side = REACH * UNIT * math.exp(_uniform(math.log(_NEAREST), math.log(_WIDEST), random))
    angle, scale = math.radians(_uniform(-_TURN, _TURN, random)), SIDE / side
    linear = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale
    if _chance(0.5, random):
        linear = linear * torch.tensor([-1.0, 1.0])
    centre = torch.tensor([_normal(0.15, random) for _ in range(2)]) * UNIT + FRAME / 2
    return torch.cat([linear, (SIDE / 2 - linear @ centre)[:, None]], 1)


def _uniform(low: float, high: float, random: Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=random))


def _normal(deviation: float, random: Generator) -> float:
    return deviation * float(torch.randn((), generator=random))


def _chance(share: float, random: Generator) -> bool:
    return _uniform(0, 1, random) < share
