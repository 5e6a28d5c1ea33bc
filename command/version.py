"""The version of the pack."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path


def version() -> str:
    """From the source beside this folder, else from the installed package."""
    source = Path(__file__).parent.parent / "pyproject.toml"
    if source.is_file():
        stated = re.search(r'^version = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE)
        if stated:
            return stated[1]
    return metadata.version("face-part-fusion")
