"""Schemas that also load on hosts older than a keyword: `advanced` came with ComfyUI 0.10.0, `search_aliases` 0.11.0.

A keyword that the host does not know would raise TypeError and take the whole pack with it, so it is left out.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from comfy_api.latest import io

# The host has this type since 0.15.0; a custom type of the same name is the same socket.
BoundingBox = getattr(io, "BoundingBox", None) or io.Custom("BOUNDING_BOX")


def schema(**keywords: Any) -> io.Schema:
    """io.Schema of the keywords that this host knows."""
    known = {f.name for f in dataclasses.fields(io.Schema)}
    return io.Schema(**{k: v for k, v in keywords.items() if k in known})


def field(kind: Any, name: str, *positional: Any, **keywords: Any) -> Any:
    """`kind.Input(name, ...)` of the keywords that this host knows."""
    known = inspect.signature(kind.Input.__init__).parameters
    return kind.Input(name, *positional, **{k: v for k, v in keywords.items() if k in known})
