"""Strengths, of single parts of a face and of what a whole node does."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .schema import field

MAIN_PARTS = ("eyes", "brows", "nose", "mouth", "skin")
ONE_SIDED = ("left_eye", "right_eye", "left_brow", "right_brow")
# Parts within or around the others; most of them come from face parsing only.
FURTHER = ("lips", "inner_mouth", "ears", "hair", "neck", "head")


def strength_input(name: str, tooltip: str, *, default: float = 0.0, most: float = 1.0, **keywords: Any) -> Any:
    """A number from 0 to `most`. `keywords`: further ones of the host's input, left out where None."""
    known = {key: value for key, value in keywords.items() if value is not None}
    return field(io.Float, name, default=default, min=0.0, max=most, step=0.05, tooltip=tooltip, **known)


def in_words(part: str) -> str:
    """The part as a sentence names it: "nose", "the picture's left eye"."""
    return ("the picture's " if part in ONE_SIDED else "") + part.replace("_", " ")
