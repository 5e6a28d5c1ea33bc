"""The Deep3DFaceRecon network that the user has in the host's folder for it, read once."""

from __future__ import annotations

import functools
import os

from ..injection.deep3d_network import Deep3DNetwork, read_deep3d
from .folders import deep3d_path


def host_deep3d() -> Deep3DNetwork:
    """Raises ValueError naming file and folder when there is none, or what is wrong with it."""
    path = deep3d_path()
    return _read(path, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: str, _: int) -> Deep3DNetwork:
    return read_deep3d(path)
