"""The face recogniser that the user has in the host's InsightFace folder, under the host's memory management."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm

from ...injection.faces.identity import find_recogniser, read_recogniser, recogniser_name
from .folders import insightface_root
from .patcher import InPatcher, held


@dataclass(frozen=True, eq=False)
class Recogniser(InPatcher):
    """`name`: of its weights, as identity tokens say whose they are. `path`: its file. `patcher`: what holds it."""

    name: str
    path: Path
    patcher: Any


def recogniser_path() -> Path:
    """Raises ValueError naming files and folder when there is none."""
    return find_recogniser(os.path.join(insightface_root(), "models"))


def host_recogniser() -> Recogniser:
    """Read once, on the device where the host wants it to run.

    Raises ValueError as `recogniser_path` does, or saying what is wrong with the file.
    """
    path = recogniser_path()
    found = _read(path, path.stat().st_mtime_ns)
    mm.load_models_gpu([found.patcher])
    return found


@functools.lru_cache(maxsize=1)
def _read(path: Path, _: int) -> Recogniser:
    network = read_recogniser(path)
    return Recogniser(recogniser_name(network), path, held(network, mm.get_torch_device(), mm.unet_offload_device()))
