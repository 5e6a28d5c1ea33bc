"""A published network's weights in a module of ours: every name and shape checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

# How often training has averaged a BatchNorm; nothing that is read here needs it, and old files lack it.
_COUNT = "num_batches_tracked"


def build_network(
    make: Callable[[], Network], weights: Mapping[str, Any], path: str | Path, name: str, take: str
) -> Network:
    """What `make` gives, float32 on the CPU, for inference, with `weights` in it.

    `path`, `name`, `take`: the file, what it should be, and what to do when it is not, for messages. Raises ValueError
    when a weight is missing, unknown, no float tensor, of another shape or not finite.
    """
    with torch.device("meta"):
        network = make()
    shapes = {key: tuple(w.shape) for key, w in network.state_dict().items() if not key.endswith(_COUNT)}
    given = {key: weight for key, weight in weights.items() if not key.endswith(_COUNT)}
    problem = _problem(given, shapes)
    if problem:
        raise ValueError(f"{path} is no {name}: {problem}; {take}")
    network.to_empty(device="cpu").load_state_dict(given, strict=False)
    return network.eval().requires_grad_(False)


def _problem(weights: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    missing, unknown = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
    if missing or unknown:
        first = f"it lacks {missing[0]}" if missing else f"it has {unknown[0]}, which is not known"
        return f"{first} ({len(missing)} of {len(shapes)} weights missing, {len(unknown)} unknown)"
    for key, shape in shapes.items():
        weight = weights[key]
        if not isinstance(weight, Tensor) or not weight.is_floating_point():
            kind = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
            return f"its {key} is of type {kind}, needed is a float tensor"
        if tuple(weight.shape) != shape:
            return f"its {key} has shape {tuple(weight.shape)}, needed is {shape}"
        if not bool(weight.isfinite().all()):
            return f"its {key} holds values that are not finite"
    return ""
