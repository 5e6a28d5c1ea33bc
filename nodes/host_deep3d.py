"""The Deep3DFaceRecon network that the user has in the host's folder for it, under the host's memory management."""

from __future__ import annotations

import functools
import os
from typing import Any

import comfy.model_management as mm

from ..injection.faces.deep3d_network import Deep3DNetwork, read_deep3d
from .host.folders import deep3d_path
from .host.patcher import held


def host_deep3d() -> Deep3DNetwork:
    """Read once, on the device where the host wants it to run.

    Raises ValueError naming file and folder when there is none, or what is wrong with it.
    """
    path = deep3d_path()
    patcher = _read(path, os.stat(path).st_mtime_ns)
    mm.load_models_gpu([patcher])
    return patcher.model


@functools.lru_cache(maxsize=1)
def _read(path: str, _: int) -> Any:
    return held(read_deep3d(path), mm.get_torch_device(), mm.unet_offload_device())
