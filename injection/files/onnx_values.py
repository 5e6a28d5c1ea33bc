"""What ONNX operators are given: values of inputs, attributes, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

# Values of the inputs, None for an absent one; attributes by name. The first output, or a list of all.
Inputs = Sequence[Tensor | None]
Options = Mapping[str, Any]
Operator = Callable[[Inputs, Options], Tensor | list[Tensor]]


def needed(value: Tensor | None) -> Tensor:
    if value is None:
        raise ValueError("an input that is needed is absent")
    return value


def whole_numbers(value: Any) -> list[int]:
    """Whole numbers of an attribute, one or several, or of a tensor."""
    if isinstance(value, int):
        return [value]
    return [int(each) for each in (value.flatten().tolist() if isinstance(value, Tensor) else value)]


def setting(inputs: Inputs, at: int, options: Options, name: str) -> list[int] | None:
    """Whole numbers that newer files give as an input and older ones as an attribute; None where there are none."""
    if len(inputs) > at and inputs[at] is not None:
        return whole_numbers(inputs[at])
    return whole_numbers(options[name]) if options.get(name) is not None else None


def together(*values: Tensor | None) -> list[Tensor]:
    """All on one device: numbers reckoned on the CPU follow what lies elsewhere."""
    tensors = [needed(each) for each in values]
    device = next((each.device for each in tensors if each.device.type != "cpu"), tensors[0].device)
    return [each.to(device) for each in tensors]
