"""Rule and generator on people whom training left out: intersection over union in the region that was hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ...fusion.regions.complete import completed
from ...fusion.regions.layout import BACKGROUND, BODY, CLASSES, FACE, HAIR, NECK, drawn
from ...injection.hs_diffusion.layout_net import CHOICE, VISIBLE
from ..core.record import in_columns
from .layouts import Stored
from .samples import Covered, covered, one, silhouette

# Person and covered layout, and the cover (F, F) -> the completed layout (5, F, F).
Method = Callable[[Stored, Covered, Tensor], Tensor]
# Covers for each person.
_COVERS = 8


def by_rule(person: Stored, sample: Covered, cover: Tensor) -> Tensor:
    """What the rule makes of it. It knows more than the generator: shape and size of the person's own neck."""
    body = sample.known.clone()
    body[[HAIR, FACE]] = 0
    body[NECK] = person.areas[NECK] * (1 - cover)
    inside = person.areas.sum(0)
    body[HAIR] = (inside - body.sum(0)).clamp(0, 1)
    head = person.areas.clone()
    head[[BACKGROUND, BODY]] = 0
    return completed(head, body, person.neck, person.neck)


def compare(people: Sequence[Stored], methods: Mapping[str, Method], seed: int = 0) -> dict[str, dict[str, float]]:
    """Method -> class -> intersection over union, over all hidden cells of all people; and the mean of the classes."""
    random = torch.Generator().manual_seed(seed)
    both = {name: torch.zeros(len(CHOICE)) for name in methods}
    either = {name: torch.zeros(len(CHOICE)) for name in methods}
    for person in people:
        for i in torch.randint(len(people), (_COVERS,), generator=random).tolist():
            cover = silhouette(people[i].areas)
            sample = covered(person.areas, cover)
            cells = sample.hidden > 0.5
            truth = _labels(sample.target)[cells]
            for name, method in methods.items():
                answer = _labels(method(person, sample, cover))[cells]
                for k in range(len(CHOICE)):
                    both[name][k] += ((answer == k) & (truth == k)).sum()
                    either[name][k] += ((answer == k) | (truth == k)).sum()
    figures = {}
    for name in methods:
        # A class that is hidden nowhere, and seen nowhere, is right.
        share = torch.where(either[name] > 0, both[name] / either[name].clamp_min(1), torch.ones(()))
        figures[name] = {CLASSES[c]: float(v) for c, v in zip(CHOICE, share, strict=True)} | {
            "mean": float(share.mean())
        }
    return figures


@torch.no_grad()
def sheet_of(net: nn.Module, people: Sequence[Stored], seed: int = 0) -> Tensor:
    """A sample sheet (H, W, 3), 0..1: what `net` is shown of each person, what it makes of it, what is right."""
    random, device = torch.Generator().manual_seed(seed), next(net.parameters()).device
    covers = [silhouette(people[i - 1].areas) for i in range(len(people))]
    samples = [one(person.areas, cover, random) for person, cover in zip(people, covers, strict=True)]
    inputs, targets = (torch.stack([sample[i] for sample in samples]) for i in range(2))
    shares = net(inputs.to(device)).float().softmax(1).cpu()
    known = torch.zeros(len(inputs), len(CLASSES), *inputs.shape[-2:])
    known[:, list(VISIBLE)] = inputs[:, :-1]
    rows = []
    for answer in (torch.zeros_like(shares), shares, targets):
        areas = known.clone()
        areas[:, list(CHOICE)] += inputs[:, -1:] * answer
        rows.append(torch.stack([drawn(each).permute(2, 0, 1) for each in areas]))
    return in_columns(rows)


def _labels(areas: Tensor) -> Tensor:
    return areas[list(CHOICE)].argmax(0)
