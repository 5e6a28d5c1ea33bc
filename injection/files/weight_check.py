"""The check of every network's weights: keys, shapes, dtypes and values, with one wording of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..unet.keys import Shapes

# Integers and 8-bit floats mean nothing without scales, which no layout checked here has.
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
# Keys listed per kind of difference: a wrong file differs in hundreds.
_LISTED = 3


def check_weights(
    weights: Mapping[str, Any], shapes: Shapes, *, source: str | Path, name: str, advice: str,
    progress: Callable[[int, int], None] | None = None,
) -> None:  # fmt: skip
    """Raises ValueError unless `weights` has exactly the keys of `shapes`, with ordinary, finite float tensors.

    weights: key -> tensor, flat (`flat_state`).
    shapes: key -> shape of every tensor needed, as `module_shapes` gives it.
    source: the file or input that the weights come from, for the message.
    name: what it should hold, with its article, such as "an ArcFace iresnet".
    advice: what to do otherwise, an imperative such as "take the published file".
    progress: called with the tensors checked so far and all of them.
    """
    problem = _unusual_tensor(weights) or compare_shapes(weights, shapes) or _unusable_values(weights, progress)
    if problem:
        raise ValueError(f"{source} does not hold {name} ({len(shapes)} tensors): {problem}; {advice}")


def compare_shapes(weights: Mapping[str, Any], shapes: Shapes) -> str:
    """How keys and shapes of `weights` differ from `shapes`, for a message; "" where they do not."""
    missing = [key for key in shapes if key not in weights]
    unknown = [key for key in weights if key not in shapes]
    wrong = [
        f"{key} is {came}, needed is {shape}"
        for key, shape in shapes.items()
        if key in weights and (came := _shape(weights[key])) != shape
    ]
    differences = {"missing": missing, "unknown": unknown, "of the wrong shape": wrong}
    return "; ".join(f"{len(keys)} {kind} ({listed(keys)})" for kind, keys in differences.items() if keys)


def module_shapes(make: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Key -> shape of every weight of the module that `make` builds; it is built without memory for them."""
    with torch.device("meta"):
        return {key: tuple(weight.shape) for key, weight in make().state_dict().items()}


def size_of(weights: Mapping[str, Any], key: str, dimension: int, default: int) -> int:
    """A size of one tensor; `default` where it lacks that dimension or is missing, which `check_weights` reports."""
    shape = _shape(weights.get(key))
    return shape[dimension] if isinstance(shape, tuple) and len(shape) > dimension else default


def listed(keys: Sequence[str]) -> str:
    """The first few keys, for a message."""
    return f"{', '.join(keys[:_LISTED])}{', ...' if len(keys) > _LISTED else ''}"


def _shape(value: Any) -> tuple[int, ...] | str:
    if isinstance(value, Tensor) and not value.is_nested:
        return tuple(value.shape)
    return f"a {type(value).__name__}"


def _unusual_tensor(weights: Mapping[str, Any]) -> str:
    tensors = ((key, value) for key, value in weights.items() if isinstance(value, Tensor))
    unusual = (f"{key} {what}, needed is an ordinary tensor" for key, tensor in tensors if (what := _unusual(tensor)))
    return next(unusual, "")


def _unusual(tensor: Tensor) -> str:
    """What keeps a tensor's values from being read one by one; "" for an ordinary tensor."""
    if tensor.is_nested:
        return "holds several tensors in one (nested)"
    if tensor.layout != torch.strided:
        return f"is sparse ({tensor.layout})"
    if tensor.is_meta:
        return "has a shape but no values (it was saved from the meta device)"
    return "" if tensor.numel() else f"is empty (shape {tuple(tensor.shape)})"


def _unusable_values(weights: Mapping[str, Tensor], progress: Callable[[int, int], None] | None) -> str:
    for number, (key, tensor) in enumerate(weights.items(), 1):
        if tensor.dtype not in DTYPES:
            return f"{key} is of type {tensor.dtype}, needed is float32, float16 or bfloat16"
        low, high = torch.aminmax(tensor)
        if not (torch.isfinite(low) and torch.isfinite(high)):
            return f"{key} holds values that are not finite (NaN or infinite)"
        if progress is not None:
            progress(number, len(weights))
    return ""
