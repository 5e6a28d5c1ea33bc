"""An ONNX file as a torch module, without onnxruntime; or run by onnxruntime where it has operators unknown here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .onnx_graph import Node, OnnxGraph, Value, read_graph
from .onnx_operators import OPERATORS


class TorchNetwork(nn.Module):
    """A graph run in torch: inputs by name, as float32 -> all outputs, in order."""

    def __init__(self, graph: OnnxGraph) -> None:
        super().__init__()
        constants = {node.outputs[0]: _constant(node) for node in graph.nodes if node.kind == "Constant"}
        weights = {**graph.weights, **constants}
        # Whole numbers are sizes and places, which are reckoned on the CPU.
        self._numbers = {name: w for name, w in weights.items() if not w.is_floating_point()}
        self._names = {name: f"w{i}" for i, name in enumerate(name for name in weights if name not in self._numbers)}
        for name, buffer in self._names.items():
            self.register_buffer(buffer, weights[name])
        self._steps = [
            (node, OPERATORS[node.kind], {**node.options, "opset": graph.opset, "outputs": len(node.outputs)})
            for node in graph.nodes
            if node.kind != "Constant"
        ]
        self._outputs = [value.name for value in graph.outputs]
        # Value -> the last step that reads it; its memory is freed after that step.
        self._last = {name: i for i, (node, _, _) in enumerate(self._steps) for name in node.inputs}

    @torch.no_grad()
    def forward(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        values: dict[str, Tensor] = dict(inputs)
        for i, (node, operator, options) in enumerate(self._steps):
            try:
                made = operator([self._value(name, values) for name in node.inputs], options)
            except (RuntimeError, ValueError, KeyError, IndexError, TypeError) as problem:
                if isinstance(problem, torch.cuda.OutOfMemoryError):
                    raise
                raise ValueError(f"its operator {node.kind} ('{node.outputs[0]}') does not run: {problem}") from problem
            values |= zip(node.outputs, made if isinstance(made, list) else [made], strict=False)
            for name in node.inputs:
                if self._last[name] == i and name not in self._outputs:
                    values.pop(name, None)
        return [self._value(name, values) for name in self._outputs]  # type: ignore[misc]

    def _value(self, name: str, values: Mapping[str, Tensor]) -> Tensor | None:
        if not name:
            return None
        if name in values:
            return values[name]
        return self._numbers[name] if name in self._numbers else getattr(self, self._names[name])


class RuntimeNetwork(nn.Module):
    """The same by onnxruntime, which keeps the weights and finds its own device."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session
        self._types = {each.name: torch.float16 if "float16" in each.type else None for each in session.get_inputs()}
        self._types |= {e.name: torch.float64 for e in session.get_inputs() if "double" in e.type}

    def forward(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        arrays = {name: x.cpu().to(self._types[name] or x.dtype).contiguous().numpy() for name, x in inputs.items()}
        return [torch.from_numpy(each).float() for each in self._session.run(None, arrays)]


class OnnxNetwork(nn.Module):
    """`inputs`, `outputs`: of the graph. `network`: what runs it."""

    def __init__(self, graph: OnnxGraph, network: TorchNetwork | RuntimeNetwork) -> None:
        super().__init__()
        self.inputs: tuple[Value, ...] = graph.inputs
        self.outputs: tuple[Value, ...] = graph.outputs
        self.network = network

    def forward(self, **inputs: Tensor) -> list[Tensor]:
        """All outputs, on the CPU, of inputs by name, which may lie anywhere."""
        device = next((buffer.device for buffer in self.network.buffers()), torch.device("cpu"))
        floats = {value.name: value.floats for value in self.inputs}
        values = {name: x.to(device) if floats.get(name, True) else x for name, x in inputs.items()}
        return [output.cpu() for output in self.network(values)]


def read_network(path: str | Path, graph: OnnxGraph | None = None) -> OnnxNetwork:
    """The network in an ONNX file: in torch, or in onnxruntime where it has operators that are unknown here.

    `graph`: of the file, where it was read already.

    Raises ValueError as `read_graph` does, and for unknown operators without onnxruntime.
    """
    graph = graph or read_graph(path)
    unknown = sorted({node.kind for node in graph.nodes} - OPERATORS.keys() - {"Constant"})
    return OnnxNetwork(graph, TorchNetwork(graph) if not unknown else RuntimeNetwork(_session(path, unknown)))


def _constant(node: Node) -> Tensor:
    if len(node.options) != 1:
        raise ValueError(f"the Constant {node.outputs} has {len(node.options)} values; one is needed")
    ((name, value),) = node.options.items()
    if name == "value":
        return value
    if name in ("value_float", "value_floats", "value_int", "value_ints"):
        return torch.tensor(value)
    raise ValueError(f"a Constant by {name} is not read")


def _session(path: str | Path, unknown: list[str]) -> Any:
    try:
        runtime = import_module("onnxruntime")
    except ImportError as problem:
        raise ValueError(
            f"{path} has operators that this pack does not run by itself ({', '.join(unknown)}); install the Python "
            "package onnxruntime, which does: pip install onnxruntime (or onnxruntime-gpu)"
        ) from problem
    try:
        return runtime.InferenceSession(str(path), providers=runtime.get_available_providers())
    except Exception as problem:
        # onnxruntime raises classes of its own for a file that it cannot read.
        raise ValueError(f"{path} cannot be read as ONNX ({str(problem).strip()[:160]}); fetch it again") from problem
