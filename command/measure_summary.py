"""Figures of whole runs: distributions of what was measured of each picture, and figures that only a set has."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..metrics.appearance import ENCODER
from ..metrics.figures import PERSON, QUESTIONS
from ..metrics.frechet import frechet_distance
from ..metrics.identity import retrieval
from ..metrics.two_sample import told_in_pairs, two_sample_test
from .measure_one import Measured, tensor_of

# Set figure -> what it says, for the report.
SET_FIGURES: Mapping[str, str] = {
    "told_apart": "how often a classifier that sees a result and a photograph knows which is which: 0.5 it cannot "
    f"tell, 1 always; people are never in training and test at once (two-sample test, {ENCODER})",
    "told_apart_error": "its standard error",
    "told_from_target": "the same of each result and its own target, which differ in the change alone",
    f"frechet_distance ({ENCODER})": "the Frechet distance to the photographs; smaller is better, and only sets of "
    "equal size are comparable; it is not FID",
    "top_1": "share of results whose nearest person, among all references, is the right one",
    "top_5": "share of results with the right person among the nearest five",
    "FID": "Frechet Inception Distance to the photographs, by torch-fidelity",
}


def summary_of(measured: Sequence[Measured], photographs: Sequence[Measured]) -> dict[str, Any]:
    """Of one run, as JSON has it: questions, figures of the set, and reasons.

    `photographs`: untouched ones, beside the targets.
    """
    figures, reasons = _of_set(measured, photographs)
    return {
        "pictures": len(measured),
        "questions": {key: distribution for key in QUESTIONS if (distribution := _distribution(measured, key))},
        "set": figures,
        "set_reasons": reasons,
        "not_measured": _reasons(measured),
    }


def _distribution(measured: Sequence[Measured], key: str) -> dict[str, Any] | None:
    values = sorted(each.figures.values[key] for each in measured if key in each.figures.values)
    if not values:
        return None
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {
        "count": len(values), "median": middle, "lower_quartile": low, "upper_quartile": high,
        "mean": statistics.fmean(values), "least": values[0], "most": values[-1],
    }  # fmt: skip


def _reasons(measured: Sequence[Measured]) -> dict[str, dict[str, int]]:
    """Question -> reason -> number of pictures."""
    counts: dict[str, Counter[str]] = {}
    for each in measured:
        for key, reason in each.figures.reasons.items():
            counts.setdefault(key, Counter())[reason] += 1
    return {key: dict(count.most_common()) for key, count in counts.items()}


def _of_set(measured: Sequence[Measured], photographs: Sequence[Measured]) -> tuple[dict[str, float], dict[str, str]]:
    figures: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for name, measure in (("naturalness", _naturalness), ("retrieval", _retrieval)):
        try:
            figures |= measure(measured, photographs)
        except ValueError as missing:
            reasons[name] = str(missing)
    return figures, reasons


def _naturalness(measured: Sequence[Measured], photographs: Sequence[Measured]) -> dict[str, float]:
    made = [(each.row.target or each.row.result, each.appearance.get(each.row.result)) for each in measured]
    real = {each.row.target: each.appearance.get(each.row.target) for each in measured if each.row.target}
    real |= {each.row.result: each.appearance.get(each.row.result) for each in photographs}
    made, originals = [(who, v) for who, v in made if v], [(who, v) for who, v in real.items() if v]
    if not made or not originals:
        lack = "no result has a face" if not made else "there are no photographs: name --targets or --photographs"
        raise ValueError(lack)
    one, other = tensor_of([v for _, v in made if v]), tensor_of([v for _, v in originals if v])
    people, numbers = [who for who, _ in made], {who: len(made) + at for at, (who, _) in enumerate(originals)}
    test = two_sample_test(one, other, people, [who for who, _ in originals])
    pairs = [(at, numbers[who]) for at, who in enumerate(people) if who in numbers]
    own = {}
    if pairs:
        results, targets = torch.tensor(pairs).T
        own = {"told_from_target": told_in_pairs(test.scores[results], test.scores[targets])}
    return {
        "told_apart": test.auc, "told_apart_error": test.error, **own,
        f"frechet_distance ({ENCODER})": frechet_distance(one, other),
    }  # fmt: skip


def _retrieval(measured: Sequence[Measured], _: Sequence[Measured]) -> dict[str, float]:
    pairs = [
        (each.vectors[each.row.result], each.row.references[PERSON])
        for each in measured
        if each.vectors and PERSON in each.row.references
    ]
    gallery = {
        each.row.references[PERSON]: each.vectors[each.row.references[PERSON]] for each in measured if each.vectors
    }
    if len(gallery) < 2:
        raise ValueError("it needs --recogniser, and references for the person with at least two people")
    people = list(gallery)
    right = torch.tensor([people.index(person) for _, person in pairs])
    queries, known = tensor_of([vector for vector, _ in pairs]), tensor_of(list(gallery.values()))
    return {f"top_{first}": retrieval(queries, known, right, first) for first in (1, 5)}


def ranked(measured: Sequence[Measured], key: str | None) -> list[Measured]:
    """Worst first, by one question, or without one by what was taken over: parts and person, else all bars.

    Pictures of which that was not measured are left out.
    """
    goodness = [(_goodness(each, key), each) for each in measured]
    return [
        each for _, each in sorted((pair for pair in goodness if pair[0] is not None), key=lambda pair: pair[0] or 0)
    ]


def _goodness(measured: Measured, key: str | None) -> float | None:
    values = measured.figures.values
    keys = (
        [key] if key else [each for each in values if each.startswith("taken_") or each == "identity"] or list(values)
    )
    bars = [QUESTIONS[each].goodness(values[each]) for each in keys if each in values]
    return sum(bars) / len(bars) if bars else None
