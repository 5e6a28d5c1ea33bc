"""What a generator is trained by, after ReliableSwap (arXiv 2306.05356): FaceShifter's losses and those of triplets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...injection.faces.fixer_net import lower_quarter
from ...injection.reliable_swap.source import identity_crop

# Kinds of samples by number: two people, one person twice, naive triplets, cycle triplets.
DIFFERENT, SAME, NAIVE, CYCLE = 0, 1, (2, 3), (4, 5)
# For each kind whether hair is held to the target's and the mouth to the reference's.
HAIR, MOUTH = (1, 1, 1, 1, 0, 0), (0, 1, 1, 1, 1, 1)
# The same as the released program computes them: it changes the kinds in the loop that reads them.
RELEASED_HAIR, RELEASED_MOUTH = (1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)
# Factors of the terms, as published.
WEIGHTS: Mapping[str, float] = {
    "identity": 5.0, "attributes": 10.0, "lower_face": 0.5, "reconstruction": 10.0, "reference": 0.05, "features": 0.5,
    "hair": 2.0, "mouth": 0.05, "reference_identity": 10.0, "reference_lower_face": 1.0,
}  # fmt: skip
# Of the five maps of VGG19, the finest first.
_FEATURES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples of any kinds.

    `target`, `source`, `reference`: (B, 3, S, S), -1..1, aligned as FFHQ's; the reference is what should come out,
        and is not read for the kind DIFFERENT.
    `kind`: (B,) int64, the number of each sample's kind.
    `hair`, `mouth`: (B, 1, S, S), 0 or 1: the target's hair, and the reference's lips and teeth.
    """

    target: Tensor
    source: Tensor
    reference: Tensor
    kind: Tensor
    hair: Tensor
    mouth: Tensor

    def to(self, device: torch.device | str) -> Batch:
        return Batch(*(values.to(device) for values in vars(self).values()))


class Faces(nn.Module):
    """The frozen networks that say who a face is. `matrix`: as in `identity_crop`."""

    matrix: Tensor | None

    def __init__(self, recogniser: nn.Module, fixer: nn.Module, matrix: Tensor | None) -> None:
        super().__init__()
        self.recogniser, self.fixer = recogniser.eval().requires_grad_(False), fixer.eval().requires_grad_(False)
        self.register_buffer("matrix", matrix)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S), -1..1 -> the identity (B, 512) of length 1 and the lower face's (B, 128)."""
        faces = identity_crop(pictures, self.matrix)
        return functional.normalize(self.recogniser(faces)), self.fixer(lower_quarter(faces))

    def train(self, mode: bool = True) -> Faces:
        """They stay as they are: a mean of BatchNorm must not follow the batches."""
        return self


def generator_terms(
    batch: Batch, result: Tensor, attributes: tuple[list[Tensor], list[Tensor]], faces: Faces,
    vgg: nn.Module | None = None, released: bool = False,
) -> dict[str, Tensor]:  # fmt: skip
    """The terms by name, with their factors, without the adversarial one.

    `result`: (B, 3, S, S), -1..1.
    `attributes`: the eight maps of the target, and those of the result.
    `vgg`: pictures -> five maps; None: without that term.
    `released`: with the released program's mistake.
    """
    hair, mouth = (RELEASED_HAIR, RELEASED_MOUTH) if released else (HAIR, MOUTH)
    cycle = torch.isin(batch.kind, torch.tensor(CYCLE, device=batch.kind.device)).float()
    source, own, wanted = faces(batch.source), faces(result), faces(batch.reference)
    terms = {
        "identity": (1 - _cosine(source[0], own[0])).mean(),
        "lower_face": (1 - _cosine(source[1], own[1])).mean(),
        "attributes": sum_of([functional.mse_loss(new, old) for old, new in zip(*attributes, strict=True)]),
        "reconstruction": _mean(_distance(result, batch.reference), (batch.kind == SAME).float()),
        "reference": _mean(_distance(result, batch.reference), cycle),
        "hair": _mean(_distance(result, batch.target, batch.hair), _selected(hair, batch.kind)),
        "mouth": _mean(_distance(result, batch.reference, batch.mouth), _selected(mouth, batch.kind)),
        "reference_identity": _mean(1 - _cosine(wanted[0], own[0]), cycle),
        "reference_lower_face": _mean(1 - _cosine(wanted[1], own[1]), cycle),
    }
    if vgg is not None:
        pairs = zip(_FEATURES, vgg(result), vgg(batch.reference), strict=True)
        terms["features"] = sum_of([share * _mean(_distance(new, old), cycle) for share, new, old in pairs])
    return {name: WEIGHTS[name] * term for name, term in terms.items()}


def judged_real(scores: list[Tensor]) -> Tensor:
    """What the generator loses: it wants every score of its results high."""
    return sum_of([-score.mean() for score in scores]) / len(scores)


def judge_loss(real: list[Tensor], made: list[Tensor]) -> Tensor:
    """Hinge loss of the discriminator over its scales."""
    pairs = zip(real, made, strict=True)
    return sum_of([functional.relu(1 - r).mean() + functional.relu(1 + m).mean() for r, m in pairs]) / len(real)


def sum_of(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum()


def _selected(kinds: tuple[int, ...], kind: Tensor) -> Tensor:
    """(B,): 1 for the samples whose kind is selected."""
    return torch.tensor(kinds, device=kind.device)[kind].float()


def _distance(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """(B,): the mean absolute difference of each sample, of its pixels under the mask alone."""
    difference = (a - b).abs() if mask is None else (a - b).abs() * mask
    return difference.flatten(1).mean(1)


def _mean(values: Tensor, selected: Tensor) -> Tensor:
    """Over the whole batch; samples that are not selected count as 0."""
    return (values * selected).mean()


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return functional.cosine_similarity(a, b, dim=1)
