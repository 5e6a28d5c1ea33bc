"""Small ONNX files for tests, written with the package onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# kind, inputs, outputs, attributes
Step = tuple[str, list[str], list[str], dict[str, Any]]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def write(
    path: Path, inputs: Mapping[str, Sequence[Any]], outputs: Mapping[str, Sequence[Any]], nodes: Sequence[Step],
    weights: Mapping[str, Tensor], opset: int = 11,
) -> Path:  # fmt: skip
    """`inputs`, `outputs`: name -> shape, of floats. `weights`: name -> tensor."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
        for side in (inputs, outputs)
    ]
    made = [
        helper.make_node(kind, into, out, **{k: _as_proto(v) for k, v in more.items()})
        for kind, into, out, more in nodes
    ]
    graph = helper.make_graph(
        made, "g", *values, [numpy_helper.from_array(each.contiguous().numpy(), n) for n, each in weights.items()]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(path))
    return path


def _as_proto(value: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(value.numpy()) if isinstance(value, Tensor) else value


def by_onnxruntime(path: Path, **inputs: Tensor) -> list[Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [torch.from_numpy(each) for each in session.run(None, {k: v.numpy() for k, v in inputs.items()})]
