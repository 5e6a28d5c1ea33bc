"""Inputs of the nodes that put one person's head on another's body."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...detectors.parser_regions import parsed_where_missing
from ...detectors.parts import FaceParts
from ...fusion.regions.layout import NEEDED
from ...fusion.regions.neck import FITS, ByHand
from ...fusion.regions.pair import HAIRS, HATS
from ..host.networks import builtin_parser
from .schema import field
from .wires import FacePartsWire

BACKGROUNDS = ("keep", "make anew")


def people_inputs() -> list[Any]:
    return [
        FacePartsWire.Input(
            "head",
            tooltip="The person who gives the head with its hair, from Face Part Detect. A face that was not parsed is "
            "parsed here. One for all bodies, or one for each.",
        ),
        FacePartsWire.Input(
            "body",
            tooltip="The person who gives neck, clothes and background, from Face Part Detect, down to the shoulders "
            "at least. One for all heads, or one for each.",
        ),
    ]  # fmt: skip


def placing_inputs() -> list[Any]:
    return [
        field(
            io.Combo, "fit", options=list(FITS), default=FITS[0],
            tooltip="How the head is sized and placed. 'neck': by the size of the faces and the width of the necks, "
            "middle upon middle. 'face size': face upon face. 'as it is': neither scaled nor turned.",
        ),
        field(
            io.Combo, "hair", options=list(HAIRS), default=HAIRS[0],
            tooltip="Whose hair the new person has: 'head's' brings it along, 'body's' keeps the body's own over the "
            "new face.",
        ),
        field(
            io.Combo, "hat", options=list(HATS), default=HATS[0],
            tooltip="Whose hat the new person wears, where one is worn; 'none' leaves both out.",
        ),
        field(
            io.Combo, "background", options=list(BACKGROUNDS), default=BACKGROUNDS[0],
            tooltip="'keep' leaves the body's background as it is, except where its own head was. 'make anew' leaves "
            "all of it to the model, as the paper does.",
        ),
        _number("offset_x", 0.0, -3.0, 3.0, "Shifts the head to the right, in eye distances of the body's face."),
        _number("offset_y", 0.0, -3.0, 3.0, "Shifts the head down, in eye distances of the body's face."),
        _number("scale", 1.0, 0.25, 4.0, "Multiplies the size of the head that 'fit' gives."),
        _number("angle", 0.0, -180.0, 180.0, "Turns the head clockwise, in degrees, on top of 'fit'.", 1.0),
    ]  # fmt: skip


def _number(name: str, default: float, low: float, high: float, tooltip: str, step: float = 0.01) -> Any:
    return field(io.Float, name, default=default, min=low, max=high, step=step, tooltip=tooltip, advanced=True)


def parsed(parts: FaceParts, progress: Any = None) -> FaceParts:
    return parsed_where_missing(parts, NEEDED, builtin_parser, progress=progress)


def by_hand(offset_x: float, offset_y: float, scale: float, angle: float) -> ByHand:
    return ByHand(offset_x, offset_y, scale, angle)
