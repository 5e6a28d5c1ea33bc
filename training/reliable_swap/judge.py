"""Whether vectors of one person lie nearer to one another than those of two people, on people nobody trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .people import People, lower_faces

# Faces that go through a network together.
_BATCH = 32


class Likeness(NamedTuple):
    """Mean cosine of pairs of `same` and of `other` people; `area`: the chance that a same pair is the more alike
    (area under the ROC curve, 0.5 is a guess); `pairs`: how many of each there are."""

    same: float
    other: float
    area: float
    pairs: tuple[int, int]


def likeness(vectors: Tensor, person: Tensor) -> Likeness:
    """`vectors`: (N, W). `person`: (N,). All pairs are compared."""
    unit = functional.normalize(vectors.double())
    first, second = torch.triu_indices(len(unit), len(unit), 1)
    cosines, alike = (unit @ unit.T)[first, second], person[first] == person[second]
    same, other = cosines[alike], cosines[~alike]
    order = torch.searchsorted(other.sort().values, same).double()
    return Likeness(
        float(same.mean()), float(other.mean()), float((order / len(other)).mean()), (len(same), len(other))
    )


def by_network(net: nn.Module) -> Callable[[People], Tensor]:
    """Vectors of lower faces; each is the mean of the face's and its mirror image's."""

    @torch.no_grad()
    def vectors(people: People) -> Tensor:
        rows = []
        for faces in people.faces.split(_BATCH):
            pixels = lower_faces(faces)
            rows.append(net.eval()(pixels) + net(pixels.flip(-1)))
        return torch.cat(rows)

    return vectors


def by_pixels(people: People) -> Tensor:
    """The lower faces themselves, shrunk to 14 x 14 and without their mean, as a floor."""
    small = functional.avg_pool2d(lower_faces(people.faces), 4).flatten(1)
    return small - small.mean(0)


def held_out(names: tuple[str, ...], one_in: int) -> tuple[str, ...]:
    """Every `one_in`-th person by name, for judging."""
    return tuple(sorted(names)[::one_in])
