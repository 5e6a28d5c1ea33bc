"""A published network's weights in a module of ours, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from .weight_check import check_weights

Network = TypeVar("Network", bound=nn.Module)

# How many batches a BatchNorm has averaged in training; inference does not need it, and old files lack it.
_COUNTER = "num_batches_tracked"


def build_network(
    make: Callable[[], Network], weights: Mapping[str, Any], path: str | Path, name: str, advice: str
) -> Network:
    """The module that `make` builds, float32 on the CPU, for inference, with `weights` in it.

    path, name, advice: `source`, `name` and `advice` of `check_weights`. Raises ValueError as that does.
    """
    with torch.device("meta"):
        network = make()
    shapes = {key: tuple(w.shape) for key, w in network.state_dict().items() if not key.endswith(_COUNTER)}
    needed = {key: weight for key, weight in weights.items() if not key.endswith(_COUNTER)}
    check_weights(needed, shapes, source=path, name=name, advice=advice)
    network.to_empty(device="cpu").load_state_dict(needed, strict=False)
    return network.eval().requires_grad_(False)
