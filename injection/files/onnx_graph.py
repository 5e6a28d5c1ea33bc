"""The graph of an ONNX file: operators, weights, inputs and outputs, read without the Python package onnx.

ONNX is protobuf; the numbers of fields below are those of onnx.proto.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .protobuf import Span, fields, floats, integers, message, text

_MODEL_GRAPH, _OPSET = 7, 8
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
# TensorProto.DataType -> numpy's type of its raw bytes.
_TYPES: Mapping[int, str] = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8",
}  # fmt: skip
_HALF, _FLOATS = 10, (1, 10, 11)
# AttributeProto.AttributeType -> its value where a writer left out a value of zero.
_ZEROS: Mapping[int, Any] = {1: 0.0, 2: 0, 3: "", 6: [], 7: []}
# Fields of TensorProto that hold values when its raw bytes do not, except 32-bit floats -> how they are read.
_INT32_DATA, _INT64_DATA, _DOUBLE_DATA, _UINT64_DATA = 5, 7, 10, 11


@dataclass(frozen=True)
class Node:
    """One operator. `inputs`, `outputs`: names of values, "" for an absent one. `options`: its attributes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Value:
    """An input or output. `shape`: a name, or None, where a size is open. `floats`: whether it is of floats."""

    name: str
    shape: tuple[int | str | None, ...]
    floats: bool


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """The main graph of a file. `weights`: float ones as float32. `opset`: version of the operators."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Tensor]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    opset: int

    def count(self, kind: str) -> int:
        return sum(node.kind == kind for node in self.nodes)


def read_graph(path: str | Path, what: str = "file") -> OnnxGraph:
    """The graph of a file. `what`: what it should hold, for the message, such as "swapper".

    Raises ValueError for a file that is empty, cut short, not ONNX or keeps weights elsewhere.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _model(data)
    except (IndexError, ValueError, TypeError, KeyError, OverflowError, struct.error) as problem:
        raise ValueError(f"{path} is cut short or is not an ONNX file ({problem}); fetch the {what} again") from problem


@dataclass
class _Parts:
    """The parts of a graph while it is read."""

    nodes: list[Node] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)


def _model(data: mmap.mmap) -> OnnxGraph:
    parts, opset = None, 0
    for number, value in fields(data, 0, len(data)):
        if number == _MODEL_GRAPH:
            parts = _graph(data, value)
        elif number == _OPSET:
            version = dict(message(data, value))
            # The operators' own domain has no name.
            if 1 not in version or not text(data, version[1]):
                opset = integers(data, version[2])[0]
    if parts is None or not parts.nodes:
        raise ValueError("it has no graph")
    inputs = tuple(value for value in parts.inputs if value.name not in parts.weights)
    return OnnxGraph(tuple(parts.nodes), parts.weights, inputs, tuple(parts.outputs), opset)


def _graph(data: mmap.mmap, span: int | Span) -> _Parts:
    parts = _Parts()
    for number, value in message(data, span):
        if number == _NODE:
            parts.nodes.append(_node(data, value))
        elif number == _INITIALIZER:
            name, weight = _tensor(data, value)
            parts.weights[name] = weight
        elif number in (_INPUT, _OUTPUT):
            (parts.inputs if number == _INPUT else parts.outputs).append(_value(data, value))
    return parts


def _node(data: mmap.mmap, span: int | Span) -> Node:
    inputs, outputs, kind, domain, options = [], [], "", "", {}
    for number, value in message(data, span):
        if number == 1:
            inputs.append(text(data, value))
        elif number == 2:
            outputs.append(text(data, value))
        elif number == 4:
            kind = text(data, value)
        elif number == 5:
            name, option = _attribute(data, value)
            options[name] = option
        elif number == 7:
            domain = text(data, value)
    return Node(f"{domain}.{kind}" if domain else kind, tuple(inputs), tuple(outputs), options)


def _attribute(data: mmap.mmap, span: int | Span) -> tuple[str, Any]:
    """Name and value; None for a graph in a graph, which no operator here reads."""
    name, kind = "", 0
    option: Any = None
    many: list[float] = []
    for number, value in message(data, span):
        if number == 1:
            name = text(data, value)
        elif number == 20:
            kind = integers(data, value)[0]
        elif number == 2:
            option = floats(data, value)[0]
        elif number == 3:
            option = integers(data, value)[0]
        elif number == 4:
            option = text(data, value)
        elif number == 5:
            option = _tensor(data, value)[1]
        elif number == 7:
            many += floats(data, value)
        elif number == 8:
            many += integers(data, value)
    if option is None:
        option = many or _ZEROS.get(kind)
    return name, option


def _value(data: mmap.mmap, span: int | Span) -> Value:
    name, shape, kind = "", [], 0
    for number, value in message(data, span):
        if number == 1:
            name = text(data, value)
        elif number == 2:
            for _, tensor in message(data, value):
                for n, each in message(data, tensor):
                    if n == 1:
                        kind = integers(data, each)[0]
                    elif n == 2:
                        shape = [_size(data, dimension) for _, dimension in message(data, each)]
    return Value(name, tuple(shape), kind in _FLOATS)


def _size(data: mmap.mmap, span: int | Span) -> int | str | None:
    for number, value in message(data, span):
        if number == 1:
            return integers(data, value)[0]
        if number == 2:
            return text(data, value)
    return None


def _tensor(data: mmap.mmap, span: int | Span) -> tuple[str, Tensor]:
    dims: list[int] = []
    numbers: list[float] = []
    kind, name, raw = 0, "", None
    for number, value in message(data, span):
        if number == 1:
            dims += integers(data, value)
        elif number == 2:
            kind = integers(data, value)[0]
        elif number == 4:
            numbers += floats(data, value)
        elif number in (_INT32_DATA, _INT64_DATA, _UINT64_DATA):
            numbers += integers(data, value)
        elif number == _DOUBLE_DATA and not isinstance(value, int):
            numbers += np.frombuffer(data[slice(*value)], "<f8").tolist()
        elif number == 8:
            name = text(data, value)
        elif number == 9 and not isinstance(value, int):
            raw = value
        elif number == 13:
            raise ValueError("its weights are in a file of their own, which is not read: take or save it as one file")
    if kind not in _TYPES:
        raise ValueError(f"the tensor '{name}' is of the unknown type {kind}")
    dtype = np.dtype(_TYPES[kind])
    if raw is not None:
        array = np.frombuffer(data[slice(*raw)], dtype)
    elif kind == _HALF:
        # Half floats that are not raw bytes are the bits of each in an integer.
        array = np.array(numbers, np.uint16).view(np.float16)
    else:
        array = np.array(numbers, dtype)
    return name, _as_torch(array.reshape(dims))


def _as_torch(array: np.ndarray[Any, Any]) -> Tensor:
    if array.dtype.kind == "f":
        return torch.from_numpy(array.astype(np.float32))
    return torch.from_numpy(array.astype(bool if array.dtype.kind == "b" else np.int64))
