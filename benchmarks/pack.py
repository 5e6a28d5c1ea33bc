"""Makes the repository importable as the package that ComfyUI and pip see, without installing it."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "face_part_fusion"


def load_pack() -> None:
    """Afterwards `import face_part_fusion.detectors.builtin` works; the host part is not loaded."""
    if NAME not in sys.modules:
        package = types.ModuleType(NAME)
        package.__path__ = [str(ROOT)]
        sys.modules[NAME] = package
