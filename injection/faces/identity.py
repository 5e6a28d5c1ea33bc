"""Identity tokens: the last feature map of a face recogniser, before it becomes a single vector.

FaceX (arXiv 2401.00551, section 3.2) takes this map because its cells still lie on places of the face. The network runs
in torch: cut out of InsightFace's own ONNX file (`iresnet_onnx`), or with arcface_torch's weights (`iresnet`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted
from ...detectors.schemes import five_points
from ...fusion.similarity import fit_similarity
from ...fusion.warp import warp_window
from ..files.weight_file import EXTENSIONS
from .iresnet import read_iresnet
from .iresnet_onnx import read_onnx

# By itself any network of this build; followed by a hash of its weights (`recogniser_name`) that one.
RECOGNISER = "ArcFace iresnet"
SIDE = 112
# In this order: arcface_torch's weights, which nobody has there by chance, then the recognition models of the
# InsightFace packs buffalo_l and antelopev2, which other node packs bring.
FILES = ("backbone.safetensors", "backbone.pth", "backbone.pt", "w600k_r50.onnx", "glintr100.onnx")
_WHICH = "w600k_r50.onnx or glintr100.onnx of an InsightFace pack, or a backbone.pth of arcface_torch"
# ArcFace's five points for 112 pixels; half a pixel more than published, where pixel centres are whole numbers.
ARCFACE_POINTS = 0.5 + torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@dataclass(frozen=True, eq=False)
class Recogniser:
    """`network`: as `read_recogniser` gives it. `name`: of its weights (`recogniser_name`). `path`: its file."""

    network: nn.Module
    name: str
    path: Path


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
    matrix = fit_similarity(five_points(face.landmarks, face.scheme), ARCFACE_POINTS, steps=0)
    return warp_window(parts.pictures[i], matrix, (0, 0, SIDE, SIDE))[0].clamp(0, 1)


def identity_tokens(network: nn.Module, parts: FaceParts, progress: Progress | None = None) -> Tensor:
    """(B, 49, 512) float32 on the CPU: identity tokens of each picture's chosen face, row by row of the map.

    `network`: as `read_recogniser` gives it. `progress` is called after each picture. Raises ValueError as
    `align_faces` does.
    """
    device = next(network.buffers()).device
    pixels = align_faces(parts).movedim(-1, 1) * 2 - 1
    maps = torch.cat([network(one[None].to(device)).float().cpu() for one in counted(list(pixels), progress)])
    return maps.flatten(2).transpose(1, 2)


def read_recogniser(path: str | Path) -> nn.Module:
    """The network in a recognition file of InsightFace (.onnx) or arcface_torch (.pt, .pth, .safetensors).

    It maps faces (B, 3, 112, 112) in -1..1 to (B, 512, 7, 7). Raises ValueError when the file is missing, holds another
    network or more than weights, and, for ONNX, when the Python package onnx is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"identity tokens need a face recogniser, and there is no file {path}. Put {_WHICH} (both for "
            "non-commercial use only) into models/insightface/models/<pack>, or take a controller that was made "
            "without identity"
        )
    if path.suffix == ".onnx":
        return read_onnx(path)
    if path.suffix in EXTENSIONS:
        return read_iresnet(path)
    raise ValueError(f"{path} is not a recogniser's file; take {_WHICH}")


def recogniser_name(network: nn.Module) -> str:
    """The provider of identity tokens: RECOGNISER and eight digits of a hash over the values of the weights.

    Identity tokens of two networks cannot be compared, even where the networks are built alike.
    """
    weights = (w for w in network.state_dict().values() if w.is_floating_point())
    each = sorted(hashlib.sha256(w.detach().float().cpu().contiguous().numpy().tobytes()).digest() for w in weights)
    return f"{RECOGNISER} {hashlib.sha256(b''.join(each)).hexdigest()[:8]}"


def find_recogniser(root: str | Path) -> Path:
    """The recognition file in a folder of InsightFace packs (models/insightface/models).

    Also one folder deeper, as antelopev2's archive unpacks. Raises ValueError naming files and folder when there is
    none.
    """
    for name in FILES:
        for path in (*sorted(Path(root).glob(f"*/{name}")), *sorted(Path(root).glob(f"*/*/{name}"))):
            return path
    raise ValueError(
        f"identity tokens need {_WHICH} (both for non-commercial use only), in a folder of its own below {root}; or "
        "take a controller that was made without identity"
    )
