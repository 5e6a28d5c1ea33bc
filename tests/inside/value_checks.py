"""What every node says of numbers, choices, texts and switches that its schema excludes: `value_checks.py HOST BASE`.

Nothing else is passed, so a node that accepts a value ends in Python's TypeError on the inputs that are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from host import finish, start

nodes = start()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from comfy_api.latest import io  # noqa: E402
from face_part_fusion.nodes.inputs.values import FileCombo  # noqa: E402

NUMBERS, WORDS = (io.Int.Input, io.Float.Input), (io.Combo.Input, io.String.Input, io.Boolean.Input)


def wrong(one: Any) -> list[Any]:
    other = [torch.ones(1), [1], {"a": 1}, None]
    if isinstance(one, NUMBERS):
        beyond = (float("nan"), float("inf"), float("-inf"), one.min - 1, one.max + 1, "1", np.float32("nan"))
        return [*beyond, *([one.default + 0.5] if isinstance(one, io.Int.Input) else []), *other]
    if isinstance(one, FileCombo.Input) or isinstance(one, io.String.Input):
        return [1.5, *other]
    return ["unlisted", 1.5, *other]


def right(one: Any) -> list[Any]:
    if isinstance(one, NUMBERS):
        kind = np.int64 if isinstance(one, io.Int.Input) else np.float64
        return [one.min, one.max, one.default, kind(one.default)]
    if isinstance(one, io.Boolean.Input):
        return [True, False]
    return ["any text"] if isinstance(one, (FileCombo.Input, io.String.Input)) else list(one.options)


def fields(inputs: Any) -> Iterator[tuple[Any, Any]]:
    """Every number, choice, text and switch, and what makes a call's inputs of its value."""
    for one in inputs:
        if isinstance(one, io.DynamicCombo.Input):
            for option in one.options:
                for inner in option.inputs:
                    yield inner, lambda value, i=inner.id, n=one.id, k=option.key: {n: {n: k, i: value}}
        elif isinstance(one, (*NUMBERS, *WORDS)):
            yield one, lambda value, i=one.id: {i: value}


def outcome(node: Any, inputs: dict[str, Any]) -> tuple[str, str]:
    try:
        node.PREPARE_CLASS_CLONE(None).execute(**inputs)
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


cases, accepted = [], []
for name, node in nodes.items():
    for one, inputs in fields(node.define_schema().inputs):
        bounds = [one.min, one.max] if isinstance(one, NUMBERS) else []
        for value in wrong(one):
            if not (value is None and one.optional):
                kind, text = outcome(node, inputs(value))
                cases.append((name, one.id, repr(value), bounds, kind, text))
        accepted += [(name, one.id, repr(value), *outcome(node, inputs(value))) for value in right(one)]
    for one in node.define_schema().inputs:
        if isinstance(one, io.DynamicCombo.Input):
            for value in ({one.id: "unlisted"}, {}, "unlisted", None):
                cases.append((name, one.id, repr(value), [], *outcome(node, {one.id: value})))
finish({"cases": cases, "accepted": accepted})
