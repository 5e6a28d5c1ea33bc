"""Convert the four face nets inside the mediapipe wheel to the safetensors files that the pack bundles.

    python tools/convert_mediapipe.py mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl detectors/weights

The constants are kept as they are stored (float16, exact); only the axes change, from TFLite's to PyTorch's. Sparse
tensors (behind DENSIFY) are written dense. Needs ai-edge-litert for the TFLite schema; the pack itself does not.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file


class Source(NamedTuple):
    """One net: its path in the wheel, its checksum, the file it becomes and its layers in the order of the graph."""

    path: str
    sha256: str
    target: str
    layers: tuple[str, ...]


def _pairs(name: str, count: int) -> Iterator[str]:
    for i in range(count):
        yield from (f"{name}.{i}.depthwise", f"{name}.{i}.pointwise")


def _doubles(name: str, count: int) -> Iterator[str]:
    for i in range(count):
        for half in ("squeeze", "expand"):
            yield from (f"{name}.{i}.{half}.depthwise", f"{name}.{i}.{half}.pointwise")


def short_range_layers() -> tuple[str, ...]:
    """Layer names of the 128 x 128 detector in graph order."""
    return ("stem", *_pairs("blocks", 16), "score_fine", "score_coarse", "box_fine", "box_coarse")


def full_range_layers() -> tuple[str, ...]:
    """Layer names of the 192 x 192 detector in graph order."""
    down = [(*_doubles(f"stages.{i}", count), f"lateral.{i - 1}") for i, count in ((1, 3), (2, 3), (3, 3))]
    up = [(f"reduce.{i}", *_doubles(f"up.{i}", count)) for i, count in enumerate((2, 2, 1))]
    return (
        "stem", *_doubles("stages.0", 2), *(n for names in down for n in names), *_doubles("stages.4", 4),
        *(n for names in up for n in names), "score", "score_down", "box", "box_down",
    )  # fmt: skip


def mesh_layers() -> tuple[str, ...]:
    """Layer names of the mesh net in graph order; a PReLU is a layer, and the layers of the two heads alternate."""
    trunk = [name for i in range(16) for name in _with_activation(f"trunk.{i}")]
    heads = [name for both in zip(_head("presence"), _head("points"), strict=True) for name in both]
    return ("stem", "stem_act", *trunk, *heads)


def attention_layers() -> tuple[str, ...]:
    """Layer names of the attention mesh in graph order.

    Its three windows and five heads are side by side in one layer each, so that the name comes three or five times.
    """
    trunk = [name for i in range(17) for name in _with_activation(f"trunk.{i}")]
    narrow = ("narrow.0", "narrow.1", *_with_activation("narrow.2"))
    windows = [name for i in range(6) for name in _with_activation(f"windows.{i}")]
    heads = [name for i in range(5) for name in _with_activation(f"heads.{i}")]
    heads += ("heads.5", "heads.6", *_with_activation("heads.7"))
    together = [name for names, count in ((windows, 3), (heads, 5)) for name in names for _ in range(count)]
    return ("stem", "stem_act", *trunk, *narrow, "points", *together, *(f"fine.{i}" for i in range(5)), "presence")


def _with_activation(name: str) -> tuple[str, str, str]:
    return f"{name}.depthwise", f"{name}.pointwise", f"{name}.act"


def _head(name: str) -> tuple[str, ...]:
    return (
        *_with_activation(f"{name}.first"), f"{name}.narrow", f"{name}.narrow_act",
        *_with_activation(f"{name}.second"), f"{name}.out",
    )  # fmt: skip


SOURCES = (
    Source(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "face_detection_short_range.safetensors",
        short_range_layers(),
    ),
    Source(
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        "face_detection_full_range.safetensors",
        full_range_layers(),
    ),
    Source(
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        "face_mesh_468.safetensors",
        mesh_layers(),
    ),
    Source(
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        "face_mesh_attention.safetensors",
        attention_layers(),
    ),
)


def densify(values: np.ndarray, segments: np.ndarray, indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Dense array of `shape` from the stored `values` of a tensor whose last axis alone is compressed (CSR rows)."""
    rows = np.repeat(np.arange(len(segments) - 1), np.diff(segments.astype(np.int64)))
    dense = np.zeros((len(segments) - 1, shape[-1]), values.dtype)
    dense[rows, indices.astype(np.int64)] = values
    return dense.reshape(shape)


def torch_layout(array: np.ndarray, kind: str) -> np.ndarray:
    """TFLite's axes to PyTorch's: CONV_2D (O, H, W, I) -> (O, I, H, W); DEPTHWISE_CONV_2D (1, H, W, C) ->
    (C, 1, H, W); PRELU (1, 1, C) -> (C,)."""
    if kind == "CONV_2D":
        return array.transpose(0, 3, 1, 2)
    return array.transpose(3, 0, 1, 2) if kind == "DEPTHWISE_CONV_2D" else array.reshape(-1)


class Graph:
    """The first subgraph of a TFLite file, by the schema that ai-edge-litert brings."""

    def __init__(self, data: bytes, schema: Any) -> None:
        self.schema, self.model = schema, schema.ModelT.InitFromPackedBuf(data, 0)
        self.main = self.model.subgraphs[0]
        names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        codes = [names[max(c.builtinCode, c.deprecatedBuiltinCode)] for c in self.model.operatorCodes]
        self.operators = [(codes[o.opcodeIndex], o.inputs, o.outputs) for o in self.main.operators]
        self.stored = {o[0]: i[0] for kind, i, o in self.operators if kind in ("DEQUANTIZE", "DENSIFY")}

    def constant(self, index: int) -> np.ndarray:
        """The constant tensor behind DEQUANTIZE and DENSIFY, dense, in its stored float type."""
        while index in self.stored:
            index = self.stored[index]
        tensor = self.main.tensors[index]
        dtype = {self.schema.TensorType.FLOAT16: np.float16, self.schema.TensorType.FLOAT32: np.float32}[tensor.type]
        values = np.frombuffer(bytes(self.model.buffers[tensor.buffer].data), dtype)
        shape = tuple(int(n) for n in tensor.shape)
        if tensor.sparsity is None:
            return values.reshape(shape)
        last = tensor.sparsity.dimMetadata[-1]
        segments, indices = np.asarray(last.arraySegments.values), np.asarray(last.arrayIndices.values)
        return densify(values, segments, indices, shape)

    def layers(self) -> Iterator[dict[str, np.ndarray]]:
        """Weight and, where there is one, bias of every layer that has weights, in graph order."""
        for kind, inputs, _ in self.operators:
            if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU"):
                layer = {"weight": torch_layout(self.constant(inputs[1]), kind)}
                yield layer if kind == "PRELU" else layer | {"bias": self.constant(inputs[2])}


def state_of(data: bytes, names: tuple[str, ...], schema: Any) -> dict[str, torch.Tensor]:
    """The state dict of one TFLite file; layers of one name become one, their outputs in the order of the graph.

    Raises ValueError when it has other than the expected number of layers.
    """
    layers = list(Graph(data, schema).layers())
    if len(layers) != len(names):
        raise ValueError(f"the graph has {len(layers)} layers with weights, expected {len(names)}")
    state: dict[str, list[np.ndarray]] = {}
    for name, layer in zip(names, layers, strict=True):
        for key, array in layer.items():
            state.setdefault(f"{name}.{key}", []).append(array)
    return {key: torch.from_numpy(np.concatenate(arrays)).contiguous() for key, arrays in state.items()}


def convert(wheel: Path, folder: Path) -> list[Path]:
    """Write the four files into `folder`. Raises ValueError for another wheel and ImportError without litert."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise ImportError("reading TFLite files needs ai-edge-litert: pip install ai-edge-litert") from error
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in SOURCES:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(source.path)
        if (found := hashlib.sha256(data).hexdigest()) != source.sha256:
            raise ValueError(f"{source.path} in {wheel.name} has sha256 {found}, expected {source.sha256}")
        metadata = {"source": source.path, "sha256": source.sha256, "wheel": wheel.name, "licence": "Apache-2.0"}
        save_file(state_of(data, source.layers, schema), folder / source.target, metadata)
        written.append(folder / source.target)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="mediapipe-0.10.21-*.whl")
    parser.add_argument("folder", type=Path, help="where the safetensors files go: detectors/weights")
    arguments = parser.parse_args()
    for path in convert(arguments.wheel, arguments.folder):
        sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
