"""ReliableSwap's published .pth files, and those of the generators without it -> a swapper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...fusion.crop import FFHQ_POINTS
from ..faces.fixer_net import FixerNet, build_fixer_net, read_fixer_net, without_prefix
from ..faces.identity import recogniser_name
from ..faces.iresnet import DEPTHS, FaceVectorNet, read_face_vector_net
from ..files.families import family
from ..files.flat_state import flat_state
from ..files.network_weights import build_network
from ..files.weight_check import size_of
from ..files.weight_file import read_weights
from .aei_net import SIDE, AEINet
from .simswap import SimSwapNet
from .source import trans_matrix
from .swapper import ARCFACE, Frame, PublishedSwapper

ADVICE = (
    "take a published face swapper, unchanged: G_mouth1_t38_post.pth or G_tmp_v5.pth (FaceShifter, 256 pixels), "
    "G_mouth1_st5.pth or G_tmp_sv4_off.pth (SimSwap)"
)
_RECOGNISER, _FIXER, _MATRIX = "iresnet.", "mouth_net.", "trans_matrix"
_GROUPS = ("G", "iresnet", "mouth_net", "encoder", "generator", "first_layer", "BottleNeck")
# Kind -> a key that only it has, the tensor and dimension that tell the width of its identities, and how it is built.
_KINDS: Mapping[str, tuple[str, str, int, Callable[[int], AEINet | SimSwapNet]]] = {
    "FaceShifter": ("generator.AADBlk1.AAD1.conv_h.weight", "generator.up1.weight", 0, AEINet),
    "SimSwap": ("BottleNeck.0.style1.linear.weight", "BottleNeck.0.style1.linear.weight", 1, SimSwapNet),
}
# ArcFace alone, and with the lower face.
_WIDTHS = (ARCFACE, 640)


def read_swapper(
    path: str | Path, recogniser: str | Path | None = None, fixer: str | Path | None = None
) -> PublishedSwapper:
    """The swapper in a published file.

    `recogniser`: a whole ArcFace iresnet (backbone.pth), for a file without one.
    `fixer`: a FixerNet's file, for a file without one whose identities are 640 wide.

    Raises ValueError for a file that is unsafe, damaged or of another kind, and where a network is in no file.
    """
    state = flat_state(read_weights(path, ADVICE), _GROUPS)
    own = {key: w for key, w in state.items() if not key.startswith((_RECOGNISER, _FIXER)) and key != _MATRIX}
    weights = without_prefix(own, "G.")
    kind, width = _recognised(weights, path)
    matrix = _matrix(state.get(_MATRIX), path) if kind == "FaceShifter" else None
    generator = build_network(lambda: _KINDS[kind][3](width), weights, path, f"{kind}'s generator", ADVICE)
    faces = _recogniser(_group(state, _RECOGNISER), path, recogniser)
    lower = _fixer(_group(state, _FIXER), path, fixer) if width > ARCFACE else None
    name = f"{kind} with {width} values"
    provider = recogniser_name(faces) + (f" and FixerNet {recogniser_name(lower)[-8:]}" if lower else "")
    frame = Frame(SIDE, tuple((float(x), float(y)) for x, y in FFHQ_POINTS * (SIDE / 512)))
    # SimSwap's face is cut otherwise, so that its identities differ although the recogniser may be the same.
    provider += "" if matrix is None else " on turned FFHQ crops"
    return PublishedSwapper(generator, faces, lower, matrix, name, provider, frame)


def _recognised(weights: Mapping[str, Any], path: str | Path) -> tuple[str, int]:
    """Kind and width of identity of a generator's weights."""
    for kind, (key, width_key, dimension, _) in _KINDS.items():
        if key in weights:
            width = size_of(weights, width_key, dimension, 0)
            if width not in _WIDTHS:
                raise ValueError(f"{path}: {kind}'s identities are {width} values, known are 512 and 640; {ADVICE}")
            return kind, width
    came = family(weights)
    what = f"is {came}" if came else "is of an unknown kind"
    raise ValueError(f"{path} holds no face swapper: it {what}; {ADVICE}")


def _recogniser(weights: Mapping[str, Any], path: str | Path, other: str | Path | None) -> FaceVectorNet:
    if weights:
        return build_network(
            lambda: FaceVectorNet(DEPTHS["r100"]), weights, path, "an ArcFace iresnet100 under 'iresnet.'", ADVICE
        )
    if other is not None:
        return read_face_vector_net(other)
    raise ValueError(
        f"{path} holds a generator without the face recogniser that its identities come from; put that recogniser, a "
        "backbone.pth of arcface_torch (iresnet100; for non-commercial use only), into "
        "models/insightface/models/arcface"
    )


def _fixer(weights: Mapping[str, Any], path: str | Path, other: str | Path | None) -> FixerNet:
    if weights:
        return build_fixer_net(without_prefix(weights, "backbone."), path, ADVICE)
    if other is not None:
        return read_fixer_net(other)
    raise ValueError(
        f"{path} needs identities of 640 values, and FixerNet, which makes the last 128, is not in it; put "
        "fixer_net_casia_28_56_84_112.pth beside it and choose it too"
    )


def _matrix(value: Any, path: str | Path) -> Tensor:
    """(2, 3): the file's own matrix, or the published one."""
    if value is None:
        return trans_matrix(SIDE)
    if not isinstance(value, Tensor) or value.numel() != 6 or not torch.isfinite(value.float()).all():
        raise ValueError(f"{path}: trans_matrix is not one finite 2 x 3 matrix; {ADVICE}")
    return value.float().reshape(2, 3).clone()


def _group(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
