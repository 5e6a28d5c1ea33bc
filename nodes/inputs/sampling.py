"""Inputs of nodes that act during a sampling run: in which steps, and how strongly in which blocks."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .schema import field


def percent_input(name: str, default: float, tooltip: str, **keywords: Any) -> Any:
    """A point in the sampling run: 0 is its beginning, 1 its end."""
    return field(io.Float, name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip, **keywords)


def block_weights_input(**keywords: Any) -> Any:
    """Text for `injection.unet.block_weights.read_block_weights`."""
    return field(
        io.String, "block_weights", default="", advanced=True, **keywords,
        tooltip="Strengths of single blocks, separated by commas: 'middle = 0, output = 0.8, output_3 = 1.5'. Names "
        "are input, middle, output, or one block such as input_4; a block that is not named has 1. Three numbers "
        "without names are input, middle and output; as many numbers as blocks are all of them in order.",
    )  # fmt: skip
