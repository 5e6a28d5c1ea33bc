"""Can a classifier tell two sets of pictures apart?

After "Revisiting Classifier Two-Sample Tests" (Lopez-Paz and Oquab 2017).

For naturalness one set is made and the other photographed: what a classifier learns to see, a person may see too.
Any vectors do, those of `appearance` or an encoder's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# Weight of the squared coefficients, relative to the mean loss of one sample: there are more features than pictures.
_RIDGE = 1.0
# Newton's method has converged after 6 steps or so.
_STEPS, _STILL = 50, 1e-8


class TwoSample(NamedTuple):
    """`auc`: the chance that a picture of the first set gets the higher score; 0.5: nobody can tell, 1: always.

    `error`: its standard error (Hanley and McNeil 1982).
    `scores`: (N + M,) of all pictures, higher for those that look like the first set.
    """

    auc: float
    error: float
    scores: Tensor


def two_sample_test(
    one: Tensor, other: Tensor, groups: Sequence[Hashable], groups_other: Sequence[Hashable], folds: int = 5
) -> TwoSample:  # fmt: skip
    """A linear classifier is trained on some people and asked about the others, in turn.

    `one`, `other`: vectors (N, n) and (M, n).
    `groups`, `groups_other`: who each shows. Pictures of one group are never in training and test at once.
    `folds`: parts into which the people are divided.

    Raises ValueError for vectors of two lengths, other counts of groups, and too few people for the folds.
    """
    x, everyone = torch.cat([one, other]).double(), [*groups, *groups_other]
    if len(everyone) != len(x) or len(groups) != len(one):
        raise ValueError(
            f"each picture needs a group; came {len(one)} and {len(other)} pictures, and {len(groups)} and "
            f"{len(groups_other)} groups"
        )
    if min(len(set(groups)), len(set(groups_other))) < folds:
        raise ValueError(
            f"a classifier that is trained and tested on different people needs at least {folds} in each set; came "
            f"{len(set(groups))} and {len(set(groups_other))}"
        )
    y = torch.cat([torch.ones(len(one)), torch.zeros(len(other))]).double()
    scores, fold = torch.zeros(len(x), dtype=torch.float64), _folds(everyone, folds)
    for number in range(folds):
        test = fold == number
        mean, spread = x[~test].mean(0), x[~test].std(0, correction=0)
        scaled = (x - mean) / torch.where(spread > 1e-9, spread, torch.ones(()).double())
        weights, offset = logistic_regression(scaled[~test], y[~test], _RIDGE)
        scores[test] = scaled[test] @ weights + offset
    auc = area_under_curve(scores[y > 0], scores[y == 0])
    return TwoSample(auc, _standard_error(auc, len(one), len(other)), scores.float())


def logistic_regression(x: Tensor, y: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """The weights (n,) and the offset that minimise the mean loss of both classes + ridge / 2 |weights|^2.

    `x`: (N, n) float64. `y`: (N,), 0 or 1; both classes count alike, whatever their numbers.
    """
    share = torch.where(y > 0, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    # Weights are sums of the samples, so that the system to solve has one unknown for each sample, and the offset.
    gram, factors, offset = x @ x.T / ridge, torch.zeros_like(y), torch.zeros((), dtype=y.dtype)
    for _ in range(_STEPS):
        chance = torch.sigmoid(gram @ factors + offset)
        curve = (share * chance * (1 - chance)).clamp_min(1e-12)
        slope = share * (y - chance)
        # Newton: (gram + 1 / curve) factors + offset = gram old + offset old + slope / curve, and sum(factors) = 0.
        left = torch.cat([gram + torch.diag(1 / curve), torch.ones_like(y)[:, None]], 1)
        left = torch.cat([left, torch.cat([torch.ones_like(y), y.new_zeros(1)])[None]])
        right = torch.cat([gram @ factors + offset + slope / curve, y.new_zeros(1)])
        solution = torch.linalg.solve(left, right)
        step = float((solution[:-1] - factors).abs().max()) / float(share.max())
        factors, offset = solution[:-1], solution[-1]
        if step < _STILL:
            break
    return x.T @ factors / ridge, offset


def area_under_curve(high: Tensor, low: Tensor) -> float:
    """The share of pairs in which the score of `high` (N,) is above that of `low` (M,); equal scores count half."""
    difference = high[:, None] - low[None]
    return float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean())


def told_in_pairs(made: Tensor, own: Tensor) -> float:
    """The share of pairs in which the made picture has the higher score; equal scores count half.

    It sees more than the area under the curve, as both pictures of a pair show the same person.

    `made`, `own`: (N,) scores of results and of the photographs that they were made of. Raises ValueError without one.
    """
    if len(made) == 0 or made.shape != own.shape:
        raise ValueError(f"pairs need as many scores on both sides; came {len(made)} and {len(own)}")
    return float(((made > own).double() + 0.5 * (made == own).double()).mean())


def _folds(groups: Sequence[Hashable], folds: int) -> Tensor:
    """(N,): the fold of each picture; the largest groups first, each into the fold with the fewest pictures."""
    numbers: dict[Hashable, list[int]] = {}
    for at, group in enumerate(groups):
        numbers.setdefault(group, []).append(at)
    fold, counts = torch.zeros(len(groups), dtype=torch.long), [0] * folds
    for own in sorted(numbers.values(), key=lambda own: (-len(own), own)):
        least = counts.index(min(counts))
        fold[own] = least
        counts[least] += len(own)
    return fold


def _standard_error(auc: float, first: int, second: int) -> float:
    both, twice = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (first - 1) * (both - auc**2) + (second - 1) * (twice - auc**2)
    return math.sqrt(max(0.0, variance) / (first * second))
