"""Numbers, choices, texts and switches of a call, checked against the node's schema.

The host checks what is typed into a node, but neither NaN nor what a wire brings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from comfy_api.latest import io


class FileCombo:
    """A choice among files; `nodes.host.folders` says of a missing one where it belongs."""

    class Input(io.Combo.Input):
        pass


def check_values(fields: Sequence[io.Input], values: Mapping[str, Any], prefix: str = "") -> None:
    """`fields`: the inputs of a schema. `values`: by input id; an absent one has its default.

    Raises ValueError, naming the input, for a value of another kind, a number out of range and a choice not listed.
    """
    for one in fields:
        value = values.get(one.id)
        if value is None and (one.optional or one.id not in values):
            continue
        needed = _needed(one, value)
        if needed:
            raise ValueError(f"{prefix}{one.id} is {_in_words(value)}; {needed}")
        if isinstance(one, io.DynamicCombo.Input):
            inner = next(option.inputs for option in one.options if option.key == value[one.id])
            check_values(inner, value, f"{one.id}.")


def _needed(one: io.Input, value: Any) -> str:
    """What `one` needs, in words; "" when `value` is that, and for the inputs that are wires only."""
    if isinstance(one, (io.Float.Input, io.Int.Input)):
        kind, word = (Integral, "whole number") if isinstance(one, io.Int.Input) else (Real, "number")
        if isinstance(value, kind) and one.min <= value <= one.max:
            return ""
        needed = "it goes" if isinstance(value, kind) else f"it is a {word}"
        return f"{needed} from {one.min} to {one.max}, by default {one.default}"
    if isinstance(one, FileCombo.Input):
        return "" if isinstance(value, str) else "it is the name of a file that the list of this input has"
    if isinstance(one, io.Combo.Input):
        return "" if isinstance(value, str) and value in one.options else f"choose one of {', '.join(one.options)}"
    if isinstance(one, io.DynamicCombo.Input):
        keys = [option.key for option in one.options]
        fits = isinstance(value, Mapping) and value.get(one.id) in keys
        return "" if fits else f"choose one of {', '.join(keys)}"
    if isinstance(one, io.Boolean.Input):
        return "" if isinstance(value, (bool, int)) else "it is a switch, true or false"
    if isinstance(one, io.String.Input):
        return "" if isinstance(value, str) else "it is a text; wire in one, or unplug it and write"
    return ""


def _in_words(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    if value is None or isinstance(value, (bool, Real)):
        return str(value)
    return f"of the type {type(value).__name__}"
