"""ArcFace's network read from InsightFace's own ONNX file and run in torch, up to its last feature map.

Only the Python package onnx is needed, which reads the file; onnxruntime is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# Operators up to the last map; the first other one flattens it.
_OPERATORS = ("Conv", "BatchNormalization", "PRelu", "Relu", "Add", "Identity", "Dropout")
# Side of the network's input in pixels.
_SIDE = 112
_ADVICE = "take w600k_r50.onnx or glintr100.onnx of an InsightFace pack, or a backbone.pth of arcface_torch"


@dataclass(frozen=True)
class _Step:
    """One node of the graph. `kind`: its operator. `inputs`, `output`: names of values. `options`: its attributes."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    options: dict[str, Any]


class GraphNetwork(nn.Module):
    """The convolutions of an ArcFace iresnet: faces (B, 3, 112, 112), -1..1 -> map (B, 512, 7, 7).

    About 31 million parameters (r50) or 52 million (r100), float32.
    """

    def __init__(self, steps: Sequence[_Step], weights: dict[str, Tensor], entry: str) -> None:
        super().__init__()
        self._steps, self._entry = tuple(steps), entry
        self._names = {name: f"w{i}" for i, name in enumerate(weights)}
        for name, buffer in self._names.items():
            self.register_buffer(buffer, weights[name])
        # Value -> the last step that reads it; its memory is freed after that step.
        self._last = {name: i for i, step in enumerate(self._steps) for name in step.inputs}

    def forward(self, pixels: Tensor) -> Tensor:
        values = {self._entry: pixels}
        for i, step in enumerate(self._steps):
            inputs = [values[n] if n in values else getattr(self, self._names[n]) for n in step.inputs if n]
            values[step.output] = _run(step, inputs)
            for name in step.inputs:
                if self._last[name] == i:
                    values.pop(name, None)
        return values[self._steps[-1].output]


def read_onnx(path: str | Path) -> GraphNetwork:
    """The network in an InsightFace recognition file, cut before its last map is flattened.

    Raises ValueError when the Python package onnx is missing, or the file holds another network.
    """
    path, onnx = Path(path), _package()
    try:
        graph = onnx.load(str(path)).graph
    except Exception as problem:
        # onnx raises classes of protobuf's own for a file that it cannot read.
        raise ValueError(f"{path} cannot be read as ONNX ({problem}); copy it again") from problem
    weights = {w.name: torch.tensor(onnx.numpy_helper.to_array(w)) for w in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in weights]
    steps = _until_flat(graph, onnx)
    used = {name for step in steps for name in step.inputs}
    network = GraphNetwork(steps, {n: w.float() for n, w in weights.items() if n in used}, inputs[0]).eval()
    _check(network, path)
    return network


def _package() -> Any:
    try:
        import_module("onnx.numpy_helper")
        return import_module("onnx")
    except ImportError as problem:
        raise ValueError(
            "identity tokens need the Python package onnx, which reads the recogniser's .onnx file; install it with: "
            'pip install onnx (the pack\'s extra "facex" brings it), put a backbone.pth of arcface_torch beside that '
            "file, which needs no package, or take a controller that was made without identity"
        ) from problem


def _until_flat(graph: Any, onnx: Any) -> list[_Step]:
    steps = []
    for node in graph.node:
        if node.op_type not in _OPERATORS:
            break
        options = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        steps.append(_Step(node.op_type, tuple(node.input), node.output[0], options))
    return steps


def _check(network: GraphNetwork, path: Path) -> None:
    try:
        with torch.no_grad():
            shape = tuple(network(torch.zeros(1, 3, _SIDE, _SIDE)).shape) if network._steps else ()
    except (KeyError, AttributeError, RuntimeError) as problem:
        raise ValueError(f"{path} is not an ArcFace network that can be cut ({problem!r}); {_ADVICE}") from problem
    if len(shape) != 4 or shape[2:] != (7, 7):
        raise ValueError(f"{path} has no last map of 7 x 7 cells (its output has the shape {shape}); {_ADVICE}")


def _run(step: _Step, inputs: list[Tensor]) -> Tensor:
    options = step.options
    if step.kind == "Conv":
        return _convolve(options, inputs)
    if step.kind == "BatchNormalization":
        x, weight, bias, mean, var = inputs
        return functional.batch_norm(x, mean, var, weight, bias, eps=options.get("epsilon", 1e-5))
    if step.kind == "PRelu":
        return functional.prelu(inputs[0], inputs[1].flatten())
    if step.kind == "Relu":
        return functional.relu(inputs[0])
    return inputs[0] + inputs[1] if step.kind == "Add" else inputs[0]


def _convolve(options: dict[str, Any], inputs: list[Tensor]) -> Tensor:
    bias = inputs[2] if len(inputs) > 2 else None
    top, left, bottom, right = options.get("pads", (0, 0, 0, 0))
    padded = functional.pad(inputs[0], (left, right, top, bottom))
    return functional.conv2d(
        padded, inputs[1], bias, tuple(options.get("strides", (1, 1))), 0, tuple(options.get("dilations", (1, 1))),
        int(options.get("group", 1)),
    )  # fmt: skip
