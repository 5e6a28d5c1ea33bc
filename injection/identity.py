"""Identity tokens: the last feature map of a face recogniser, before it is squeezed into one vector.

FaceX (arXiv 2401.00551, section 3.2) takes this map because it still knows where on the face things are. The network
is read from InsightFace's own ONNX file and runs in torch; onnxruntime is not needed.
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

from ..detectors.parts import FaceParts
from ..detectors.schemes import five_points
from ..fusion.similarity import fit_similarity
from ..fusion.warp import warp_window

SIDE = 112
# Recognition models of the InsightFace packs buffalo_l and antelopev2.
FILES = ("w600k_r50.onnx", "glintr100.onnx")
# ArcFace's five points for 112 pixels; half a pixel more than published, where pixel centres are whole numbers.
_TEMPLATE = 0.5 + torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_KINDS = ("Conv", "BatchNormalization", "PRelu", "Relu", "Add", "Identity", "Dropout")


def align_faces(parts: FaceParts) -> Tensor:
    """(B, 112, 112, 3) 0..1: the chosen face of each picture, its five points over ArcFace's template.

    Raises ValueError for a picture without a face or a face without landmarks.
    """
    return torch.stack([_aligned(parts, i) for i in range(len(parts))])


def _aligned(parts: FaceParts, i: int) -> Tensor:
    face = parts.face(i)
    if face is None or not face.scheme:
        lack = "no face" if face is None else "a face without landmarks"
        raise ValueError(
            f"identity tokens need eyes, nose and mouth to align by, and picture {i + 1} has {lack}; detect with "
            "'built-in', or take a controller that was made without identity"
        )
    matrix = fit_similarity(five_points(face.landmarks, face.scheme), _TEMPLATE, steps=0)
    return warp_window(parts.pictures[i], matrix, (0, 0, SIDE, SIDE))[0].clamp(0, 1)


@dataclass(frozen=True)
class _Step:
    kind: str
    inputs: tuple[str, ...]
    output: str
    options: dict[str, Any]


class IdentityNetwork(nn.Module):
    """The convolutions of an ArcFace iresnet: faces (B, 3, 112, 112) -> map (B, 512, 7, 7).

    About 31 million parameters (r50) or 52 million (r100), float32.
    """

    def __init__(self, steps: Sequence[_Step], weights: dict[str, Tensor], entry: str) -> None:
        super().__init__()
        self._steps, self._entry = tuple(steps), entry
        self._names = {name: f"w{i}" for i, name in enumerate(weights)}
        for name, place in self._names.items():
            self.register_buffer(place, weights[name])
        # The step after which a value is not read again, so that its memory is given back.
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

    def tokens(self, parts: FaceParts) -> Tensor:
        """(B, 49, 512) float32 on the CPU: identity tokens of each picture's chosen face, row by row of the map.

        Raises ValueError as `align_faces` does.
        """
        place = next(self.buffers()).device
        pixels = align_faces(parts).movedim(-1, 1).to(place) * 2 - 1
        return self(pixels).flatten(2).transpose(1, 2).float().cpu()


def read_recogniser(path: str | Path) -> IdentityNetwork:
    """The network in an InsightFace recognition file, cut before it is flattened.

    Raises ValueError when the Python package onnx or the file is missing, or it holds no such network.
    """
    path = Path(path)
    onnx = _package()
    if not path.is_file():
        raise ValueError(
            f"identity tokens need a face recogniser, and there is no file {path}. Put {' or '.join(FILES)} of an "
            "InsightFace pack (non-commercial use only) into models/insightface/models/<pack>, or take a controller "
            "that was made without identity"
        )
    try:
        graph = onnx.load(str(path)).graph
    except Exception as problem:
        # onnx raises classes of protobuf's own for a file that it cannot read.
        raise ValueError(f"{path} cannot be read as ONNX ({problem}); copy it anew") from problem
    weights = {w.name: torch.tensor(onnx.numpy_helper.to_array(w)) for w in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in weights]
    steps = _until_flat(graph, onnx)
    used = {name for step in steps for name in step.inputs}
    network = IdentityNetwork(steps, {n: w.float() for n, w in weights.items() if n in used}, inputs[0]).eval()
    _check(network, path)
    return network


def find_recogniser(root: str | Path) -> Path:
    """The recognition file in a folder of InsightFace packs (models/insightface/models).

    Raises ValueError naming files and folder when there is none.
    """
    for name in FILES:
        for path in sorted(Path(root).glob(f"*/{name}")):
            return path
    raise ValueError(
        f"identity tokens need {' or '.join(FILES)} of an InsightFace pack (non-commercial use only), in a folder of "
        f"its own below {root}, and the Python package onnx; or take a controller that was made without identity"
    )


def _package() -> Any:
    try:
        import_module("onnx.numpy_helper")
        return import_module("onnx")
    except ImportError as problem:
        raise ValueError(
            "identity tokens need the Python package onnx, which reads the recogniser's file; install it with: pip "
            "install onnx (the pack's extra \"facex\" brings it), or take a controller that was made without identity"
        ) from problem


def _until_flat(graph: Any, onnx: Any) -> list[_Step]:
    steps = []
    for node in graph.node:
        if node.op_type not in _KINDS:
            break
        options = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        steps.append(_Step(node.op_type, tuple(node.input), node.output[0], options))
    return steps


def _check(network: IdentityNetwork, path: Path) -> None:
    try:
        with torch.no_grad():
            shape = tuple(network(torch.zeros(1, 3, SIDE, SIDE)).shape) if network._steps else ()
    except (KeyError, AttributeError, RuntimeError) as problem:
        raise ValueError(f"{path} is not an ArcFace network that can be cut ({problem!r}); use {FILES[0]}") from problem
    if len(shape) != 4 or shape[2:] != (7, 7):
        raise ValueError(f"{path} has no last map of 7 x 7 cells (found {shape}); use {' or '.join(FILES)}")


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
