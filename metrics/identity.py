"""Whether two photographs show the same person: vectors of a face recogniser of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..detectors.parts import FaceParts
from ..injection.faces.identity import SIDE, align_faces, recogniser_name
from ..injection.faces.iresnet import read_face_vector_net
from ..injection.files.onnx_network import read_network

WHICH = "w600k_r50.onnx or glintr100.onnx of an InsightFace pack, or a backbone.pth of arcface_torch"


@dataclass(frozen=True, eq=False)
class FaceVectors:
    """`network`: faces (B, 3, 112, 112), -1..1 -> vectors (B, n). `name`: of its weights, for reports."""

    network: nn.Module
    name: str

    def __call__(self, parts: FaceParts) -> Tensor:
        """(B, n) float32 on the CPU, each of length 1, of each picture's chosen face.

        Raises ValueError for a picture without a face and for a face without landmarks.
        """
        pixels = align_faces(parts).movedim(-1, 1) * 2 - 1
        device = next((tensor.device for tensor in self.network.state_dict().values()), torch.device("cpu"))
        with torch.no_grad():
            return functional.normalize(self.network(pixels.to(device)).float().cpu(), dim=1)


class _OnnxVectors(nn.Module):
    """A whole recogniser in an ONNX file, which has a name of its own for its input."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.network = read_network(path)
        shapes = [value.shape[1:] for value in (*self.network.inputs, *self.network.outputs)]
        if len(shapes) != 2 or shapes[0] != (3, SIDE, SIDE) or len(shapes[1]) != 1:
            raise ValueError(
                f"{path} is not a face recogniser: its inputs and outputs are {shapes}, and needed are (3, {SIDE}, "
                f"{SIDE}) and one vector; take {WHICH}"
            )

    def forward(self, pixels: Tensor) -> Tensor:
        name = self.network.inputs[0].name
        return torch.cat([self.network(**{name: one[None]})[0] for one in pixels])


def read_face_vectors(path: str | Path) -> FaceVectors:
    """The whole recogniser in a file of InsightFace (.onnx) or arcface_torch (.pt, .pth, .safetensors).

    Raises ValueError without the file, and for one that holds another network or more than weights.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no face recogniser {path}; take {WHICH} (both for non-commercial use only)")
    network = _OnnxVectors(path) if path.suffix == ".onnx" else read_face_vector_net(path)
    return FaceVectors(network.eval().requires_grad_(False), f"{path.name}, {recogniser_name(network)[-8:]}")


def same_person(one: Tensor, other: Tensor) -> float:
    """The cosine of two vectors (n,), -1..1: about 0 for two people."""
    return float(functional.cosine_similarity(one, other, dim=0))


def retrieval(queries: Tensor, gallery: Tensor, right: Tensor, first: int = 1) -> float:
    """The share 0..1 of the queries whose right person is among the `first` most similar ones of the gallery.

    `queries`: (Q, n). `gallery`: (G, n), people of whom each query shows one. `right`: (Q,) whole numbers 0..G-1, which
    one. A person who is as similar as the right one counts against it.

    Raises ValueError without a query, for a `right` of another length or beyond the gallery, and for `first` below 1.
    """
    if len(queries) == 0 or len(right) != len(queries) or int(right.max()) >= len(gallery) or first < 1:
        raise ValueError(
            f"retrieval needs queries, the number of the right person for each, and at least the first place; came "
            f"{len(queries)} queries, {len(right)} numbers, {len(gallery)} people and {first} places"
        )
    similar = functional.normalize(queries.double(), dim=1) @ functional.normalize(gallery.double(), dim=1).T
    own = similar.gather(1, right[:, None])
    ahead = (similar >= own).sum(1) - 1
    return float((ahead < first).double().mean())
