"""ONNX face swappers that people own, in torch; in onnxruntime only where a file has operators unknown here.

All read identities by ArcFace as w600k_r50.onnx makes them (`onnx_kinds` says what each does with them).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...fusion.similarity import fit_similarity
from ...fusion.warp import warp_window
from ..faces.identity import ARCFACE_POINTS, SIDE
from ..files.onnx_graph import Value, read_graph
from ..files.onnx_network import OnnxNetwork, read_network
from .onnx_kinds import CONVERTED_LONG, PICTURE, PROJECTED, SIGNED_PIXELS, Kind, emap_of, points_of, recognise
from .swapper import ARCFACE, Frame

RECOGNISER = "w600k_r50.onnx"
# Bytes read at a time.
_BLOCK = 1 << 20


class OnnxSwapper(nn.Module):
    """A swapper in an ONNX file with the networks that its identities come from.

    An identity is 512 values, of length 1, by which people are compared. Ghost's has a 513th, the length that its
    converter gives; the picture of the person follows where the swapper takes one.
    """

    lower_face = False
    emap: Tensor | None

    def __init__(
        self, network: OnnxNetwork, recogniser: OnnxNetwork, converter: OnnxNetwork | None, kind: Kind,
        target: Value, source: Value, emap: Tensor | None, provider: str,
    ) -> None:  # fmt: skip
        """`target`, `source`: the network's inputs. `emap`: (512, 512), inswapper's projection of identities."""
        super().__init__()
        self.network, self.recogniser, self.converter, self.kind = network, recogniser, converter, kind
        self.register_buffer("emap", emap)
        self._target, self._source = target.name, source.name
        size = _side(target)
        self.name, self.provider = f"{kind.name} at {size} pixels", provider
        self.target = _frame(kind.points(size), size)
        self.pictures = kind.identity == PICTURE
        side = _side(source) if self.pictures else SIDE
        self.source = _frame(points_of(kind.source, side), side)
        self.width = ARCFACE + (3 * side**2 if self.pictures else int(kind.identity == CONVERTED_LONG))

    def identify(self, crops: Tensor) -> Tensor:
        return torch.stack([self._identity(crop) for crop in crops])

    def _identity(self, crop: Tensor) -> Tensor:
        face = crop if self.kind.source == "ArcFace" else self._as_arcface(crop)
        vector = _run(self.recogniser, face.movedim(-1, 0)[None] * 2 - 1)[0]
        if self.converter is not None:
            vector = _run(self.converter, vector[None])[0]
        identity = functional.normalize(vector, dim=0)
        if self.kind.identity == CONVERTED_LONG:
            return torch.cat([identity, vector.norm()[None]])
        return torch.cat([identity, crop.flatten()]) if self.pictures else identity

    def _as_arcface(self, crop: Tensor) -> Tensor:
        """(112, 112, 3): the crop as the recogniser sees a face."""
        matrix = fit_similarity(torch.tensor(self.source.points), ARCFACE_POINTS, steps=0)
        return warp_window(crop, matrix, (0, 0, SIDE, SIDE))[0].clamp(0, 1)

    def swap(self, crop: Tensor, identity: Tensor) -> Tensor:
        mean, spread = map(torch.tensor, self.kind.pixels)
        picture = ((crop - mean) / spread).movedim(-1, 0)[None]
        (made, *_) = self.network(**{self._target: picture, self._source: self._given(identity)})
        result = made[0].movedim(0, -1)
        return ((result + 1) / 2 if self.kind.pixels == SIGNED_PIXELS else result).clamp(0, 1)

    def _given(self, identity: Tensor) -> Tensor:
        """What the network takes of an identity."""
        if self.pictures:
            side = self.source.size
            return identity[ARCFACE:].reshape(side, side, 3).movedim(-1, 0)[None]
        vector = functional.normalize(identity[None, :ARCFACE])
        if self.emap is not None:
            return functional.normalize(vector @ self.emap.cpu())
        return vector * identity[ARCFACE:] if self.kind.identity == CONVERTED_LONG else vector


def read_onnx_swapper(path: str | Path, recogniser: str | Path | None) -> OnnxSwapper:
    """The swapper in an ONNX file. `recogniser`: w600k_r50.onnx; None where it was not found.

    Raises ValueError without the recogniser or, beside `path`, the converter that the kind needs; for an ONNX file of
    another kind or a damaged one; and for unknown operators without onnxruntime.
    """
    graph = read_graph(path, "swapper")
    kind, target, source = recognise(graph, path)
    if recogniser is None:
        raise ValueError(
            f"{path} ({kind.name}) takes identities by {RECOGNISER}, which was not found; put that file of "
            "InsightFace's pack buffalo_l (for non-commercial research only) into models/insightface/models/buffalo_l"
        )
    faces, provider = read_network(recogniser), f"ArcFace ONNX {_digits(recogniser)}"
    if _shapes(faces) != [(3, SIDE, SIDE), (ARCFACE,)]:
        raise ValueError(f"{recogniser} is not a recogniser of 112 pixels and 512 values; take {RECOGNISER}")
    converter = _converter(kind, Path(path))
    if converter is not None:
        provider += f" by {converter.name} {_digits(converter)}"
    if kind.identity == PICTURE:
        provider += f" with a picture of {_side(source)} pixels"
    return OnnxSwapper(
        read_network(path, graph), faces, None if converter is None else _read_converter(converter), kind, target,
        source, emap_of(graph) if kind.identity == PROJECTED else None, provider,
    )  # fmt: skip


def _converter(kind: Kind, path: Path) -> Path | None:
    if not kind.converters:
        return None
    for name in kind.converters:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise ValueError(
        f"{path} ({kind.name}) takes identities that ArcFace does not make by itself, and the file that converts them "
        f"is not there; put {kind.converters[0]} of FaceFusion's models beside it"
    )


def _read_converter(path: Path) -> OnnxNetwork:
    network = read_network(path)
    if _shapes(network) != [(ARCFACE,), (ARCFACE,)]:
        raise ValueError(f"{path} does not convert 512 values to 512; fetch the file of that name again")
    return network


def _shapes(network: OnnxNetwork) -> list[tuple[int | str | None, ...]]:
    """Of inputs and outputs, without the batch."""
    return [value.shape[1:] for value in (*network.inputs, *network.outputs)]


def _run(network: OnnxNetwork, x: Tensor) -> Tensor:
    """The first output of a network of one input."""
    return network(**{network.inputs[0].name: x.contiguous()})[0]


def _side(picture: Value) -> int:
    return int(picture.shape[-1] or 0)


def _frame(points: Tensor, size: int) -> Frame:
    return Frame(size, tuple((float(x), float(y)) for x, y in points))


def _digits(path: str | Path) -> str:
    """Eight digits of a hash over a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:8]
