"""Face Part Fusion: eyes from one photograph, nose from another, mouth from a third.

A ComfyUI custom node pack; outside a host the same code is the Python package `face_part_fusion`.
"""

from __future__ import annotations

import re
from typing import Any

WEB_DIRECTORY = "./web"
HOST_NEEDED = "0.8.0"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _refuse_old_host() -> None:
    """Raises RuntimeError on a host that lacks the schema features the nodes are declared with."""
    try:
        from comfyui_version import __version__ as found
    except ImportError:
        found = "a version that does not say its number"
    if _numbers(found) < _numbers(HOST_NEEDED):
        raise RuntimeError(
            f"Face Part Fusion needs ComfyUI {HOST_NEEDED} or newer and found {found}; update ComfyUI to use its nodes"
        )


async def comfy_entrypoint() -> Any:
    """Called by ComfyUI; gives the extension that lists the nodes."""
    _refuse_old_host()
    from .nodes import FacePartFusion

    return FacePartFusion()
