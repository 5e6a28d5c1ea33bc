"""FixerNet: the identity of a face's lower half, after ReliableSwap (arXiv 2306.05356).

An iresnet50 that looks at one quarter of the face that ArcFace sees: nose tip, mouth and chin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..files.flat_state import flat_state
from ..files.network_weights import build_network
from ..files.weight_file import read_weights
from .iresnet import DEPTHS, FaceVectorNet

# Width of its vector, and side of its input in pixels.
WIDTH, SIDE = 128, 56
# Columns and rows of the 112-pixel face that it sees.
_COLUMNS, _ROWS = slice(28, 84), slice(56, 112)
# Colour statistics that published files carry and the network does not use.
UNUSED = ("vgg_mean", "vgg_std")
_ADVICE = "take fixer_net_casia_28_56_84_112.pth or mouth_net_28_56_84_112.pth as ReliableSwap published it"


class FixerNet(FaceVectorNet):
    """Lower faces (B, 3, 56, 56), -1..1 -> vectors (B, 128), not normalised. 31,793,216 parameters, 127 MB."""

    def __init__(self) -> None:
        super().__init__(DEPTHS["r50"], SIDE, WIDTH)


def lower_quarter(faces: Tensor) -> Tensor:
    """(B, 3, 112, 112) as ArcFace sees them -> (B, 3, 56, 56)."""
    return faces[..., _ROWS, _COLUMNS]


def full_vector(identity: Tensor, lower: Tensor) -> Tensor:
    """(B, 640): ArcFace's vector (B, 512) scaled to length 1, then FixerNet's (B, 128) as it is."""
    return torch.cat([functional.normalize(identity), lower], 1)


def read_fixer_net(path: str | Path) -> FixerNet:
    """The network in a published file. Raises ValueError for a file that is unsafe, damaged or another network's."""
    state = flat_state(read_weights(path, _ADVICE), ("backbone", "conv1", "mouth_net"))
    return build_fixer_net(without_prefix(without_prefix(state, "mouth_net."), "backbone."), path, _ADVICE)


def build_fixer_net(weights: Mapping[str, Any], path: str | Path, advice: str) -> FixerNet:
    """weights: key -> tensor, named as FixerNet names them; further arguments as in `build_network`."""
    used = {key: weight for key, weight in weights.items() if key not in UNUSED}
    return build_network(FixerNet, used, path, "ReliableSwap's FixerNet", advice)


def without_prefix(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """`state` with `prefix` taken off where a key has it."""
    return {key.removeprefix(prefix): value for key, value in state.items()}
