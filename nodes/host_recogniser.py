"""The face recogniser that the user has in the host's InsightFace folder, read once."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from ..injection.identity import IdentityNetwork, find_recogniser, read_recogniser
from .folders import insightface_root


def host_recogniser() -> IdentityNetwork:
    """Raises ValueError naming package, file and folder when there is none."""
    path = find_recogniser(os.path.join(insightface_root(), "models"))
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: Path, _: int) -> IdentityNetwork:
    return read_recogniser(path)
