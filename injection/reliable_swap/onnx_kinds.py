"""Which published ONNX swapper a file holds, told by its inputs, sizes and operators, and how each sees a face.

Names, sizes and conventions are those of the files that FaceFusion and InsightFace publish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...fusion.crop import FFHQ_POINTS
from ..faces.identity import ARCFACE_POINTS
from ..files.onnx_graph import OnnxGraph, Value
from .swapper import ARCFACE

# Where an identity comes from: ArcFace's vector by the matrix in the swapper's file, as it is, by a converter's file,
# by that with the length that the converter gives it; or the person's picture.
PROJECTED, PLAIN, CONVERTED, PICTURE = "projected", "plain", "converted", "picture"
CONVERTED_LONG = "converted with length"
# ArcFace's points lie so in a crop of 128 pixels: moved to the right, as InsightFace cuts them for swaps.
_SHIFT, _CUT = 8.0, 128
# ArcFace's older template for 112 pixels, with a wider margin, half a pixel more than published as in ARCFACE_POINTS.
_OLD_ARCFACE = 0.5 + torch.tensor([[39.73, 51.138], [72.27, 51.138], [56.0, 68.493], [42.463, 87.01], [69.537, 87.01]])
# Points of a crop of 1 pixel.
_POINTS: Mapping[str, Tensor] = {
    "ArcFace 128": (ARCFACE_POINTS + torch.tensor([_SHIFT, 0.0]) - 0.5) / _CUT,
    "ArcFace": (ARCFACE_POINTS - 0.5) / 112,
    "old ArcFace": (_OLD_ARCFACE - 0.5) / 112,
    "FFHQ": FFHQ_POINTS / 512,
}
# Ghost chooses between identity and target at every cell of sixteen or more layers, by one Sigmoid each; SimSwap has
# none.
_MANY_SIGMOIDS = 8
# Mean and spread of the pixels that a network takes: 0..1, -1..1, or by the statistics of ImageNet.
PLAIN_PIXELS, SIGNED_PIXELS = ((0.0,) * 3, (1.0,) * 3), ((0.5,) * 3, (0.5,) * 3)
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Kind:
    """`template`: where a target's eyes, nose and mouth lie, a key of _POINTS.

    `pixels`: mean and spread of the pixels that it takes; results are -1..1 for SIGNED_PIXELS, else 0..1.
    `identity`: one of the ways above.
    `source`: the template of a person's picture.
    `converters`: names that the file which converts identities may have.
    """

    name: str
    template: str
    pixels: tuple[tuple[float, ...], tuple[float, ...]]
    identity: str
    source: str = "ArcFace"
    converters: tuple[str, ...] = ()

    def points(self, size: int) -> Tensor:
        """(5, 2): eyes, nose tip and mouth corners in the target's crop of `size` pixels."""
        return points_of(self.template, size)


_FOR_SIMSWAP = ("crossface_simswap.onnx", "arcface_converter_simswap.onnx")
_FOR_GHOST = ("crossface_ghost.onnx", "arcface_converter_ghost.onnx")
INSWAPPER = Kind("inswapper", "ArcFace 128", PLAIN_PIXELS, PROJECTED)
HYPERSWAP = Kind("HyperSwap", "ArcFace 128", SIGNED_PIXELS, PLAIN)
SIMSWAP = Kind("SimSwap", "old ArcFace", _IMAGENET, CONVERTED, converters=_FOR_SIMSWAP)
SIMSWAP_512 = Kind("SimSwap (unofficial)", "old ArcFace", PLAIN_PIXELS, CONVERTED, converters=_FOR_SIMSWAP)
GHOST = Kind("Ghost", "old ArcFace", SIGNED_PIXELS, CONVERTED_LONG, converters=_FOR_GHOST)
BLENDSWAP = Kind("BlendSwap", "FFHQ", PLAIN_PIXELS, PICTURE)
UNIFACE = Kind("UniFace", "FFHQ", SIGNED_PIXELS, PICTURE, source="FFHQ")
KNOWN = (
    "inswapper_128.onnx (a 512 x 512 matrix and 128 pixels), HyperSwap (hyperswap_1a_256.onnx, with a mask as second "
    "result), SimSwap (simswap_256.onnx, simswap_unofficial_512.onnx), Ghost (ghost_1_256.onnx), BlendSwap "
    "(blendswap_256.onnx, which takes a picture of 112 pixels) and UniFace (uniface_256.onnx, one of 256)"
)


def points_of(template: str, size: int) -> Tensor:
    """(5, 2): the template's points in a crop of `size` pixels."""
    # FFHQ's are counted from the corner of a crop, ArcFace's from the centre of its first pixel.
    return _POINTS[template] * size + (0.0 if template == "FFHQ" else 0.5)


def recognise(graph: OnnxGraph, path: str | Path) -> tuple[Kind, Value, Value]:
    """The kind of a swapper's graph, and its inputs for the target and for the identity.

    Raises ValueError, with the kinds that are known, for any other graph.
    """
    pictures = [value for value in graph.inputs if _side(value)]
    vectors = [value for value in graph.inputs if value.shape[1:] == (ARCFACE,)]
    if len(graph.inputs) == 2 and all(value.floats for value in graph.inputs):
        if len(pictures) == 1 and len(vectors) == 1:
            kind = _by_vector(graph, pictures[0])
            if kind is not None:
                return kind, pictures[0], vectors[0]
        elif len(pictures) == 2:
            target = next((value for value in pictures if value.name == "target"), None)
            source = next(value for value in pictures if value is not target)
            kind = {(256, 112): BLENDSWAP, (256, 256): UNIFACE}.get((_side(target), _side(source)))
            if target is not None and kind is not None:
                return kind, target, source
    raise ValueError(f"{path} is not a face swapper of a known kind: {_in_words(graph)}; known are {KNOWN}")


def _by_vector(graph: OnnxGraph, picture: Value) -> Kind | None:
    if len(graph.outputs) == 2:
        return HYPERSWAP
    if emap_of(graph) is not None:
        return INSWAPPER
    sigmoids, side = graph.count("Sigmoid"), _side(picture)
    if sigmoids >= _MANY_SIGMOIDS and side == 256:
        return GHOST
    return {256: SIMSWAP, 512: SIMSWAP_512}.get(side) if sigmoids == 0 else None


def emap_of(graph: OnnxGraph) -> Tensor | None:
    """(512, 512): inswapper's projection of identities, the last weight of that shape that no operator reads."""
    read = {name for node in graph.nodes for name in node.inputs}
    matrices = [
        weight for name, weight in graph.weights.items() if weight.shape == (ARCFACE, ARCFACE) and name not in read
    ]
    return matrices[-1] if matrices else None


def _side(value: Value | None) -> int:
    """Side of a square colour picture; 0 for another value."""
    shape = () if value is None else value.shape
    square = len(shape) == 4 and shape[1] == 3 and isinstance(shape[2], int) and shape[2] == shape[3]
    return int(shape[2]) if square and shape[2] else 0


def _in_words(graph: OnnxGraph) -> str:
    def sizes(value: Value) -> str:
        return f"{value.name} ({', '.join(str(size) for size in value.shape)})"

    inputs, outputs = (", ".join(map(sizes, side)) or "nothing" for side in (graph.inputs, graph.outputs))
    return f"it takes {inputs} and gives {outputs}, with {graph.count('Sigmoid')} operators Sigmoid"
