"""The inputs that several nodes have for every part of a face."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .schema import field

STRENGTHS = ("eyes", "brows", "nose", "mouth", "skin")
ONE_SIDED = ("left_eye", "right_eye", "left_brow", "right_brow")
# What lies within or around the others; most of it is found by face parsing only.
FURTHER = ("lips", "inner_mouth", "ears", "hair", "neck", "head")


def part_strength(name: str, tooltip: str, *, default: float = 0.0, most: float = 1.0, **more: Any) -> object:
    """A number from 0 to `most`. `more`: further words of the schema, left out where None."""
    words = {key: value for key, value in more.items() if value is not None}
    return field(io.Float, name, default=default, min=0.0, max=most, step=0.05, tooltip=tooltip, **words)


def said(part: str) -> str:
    """How a sentence calls the part: "nose", "the picture's left eye"."""
    return ("the picture's " if part in ONE_SIDED else "") + part.replace("_", " ")
