"""The face recogniser that the user has in the host's InsightFace folder, read once."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from torch import nn

from ..injection.identity import find_recogniser, read_recogniser
from .folders import insightface_root


def recogniser_path() -> Path:
    """Raises ValueError naming files and folder when there is none."""
    return find_recogniser(os.path.join(insightface_root(), "models"))


def host_recogniser() -> nn.Module:
    """Raises ValueError as `recogniser_path` does, or saying what is wrong with the file."""
    path = recogniser_path()
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: Path, _: int) -> nn.Module:
    return read_recogniser(path)
