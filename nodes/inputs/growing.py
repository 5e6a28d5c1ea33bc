"""Inputs that grow: a new socket appears whenever the last one is wired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from .schema import field


def growing_input(wire: Any, name: str, tooltip: str, *, socket: str, least: int = 0) -> Any:
    """At most 32 sockets. `name`: with an s at its end, which a socket's name lacks. `socket`: a socket's tooltip."""
    prefix = name.removesuffix("s")
    # Not marked optional: ComfyUI 0.8.0 cannot read such a template, and min=0 says the same.
    one = wire.Input(prefix, tooltip=socket)
    template = io.Autogrow.TemplatePrefix(one, prefix=prefix, min=least, max=32)
    return field(io.Autogrow, name, template=template, tooltip=tooltip)


def named_references(references: Mapping[str, Any] | None) -> list[Any]:
    """The records on the wired sockets of a growing input, in order, each with its socket's name as its `name`."""
    return [replace(record, name=name) for name, record in (references or {}).items() if record is not None]
