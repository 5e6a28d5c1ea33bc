"""What suits badly between a head and a body, in sentences for the person who chose them."""

from __future__ import annotations

import torch
from torch import Tensor

from ...detectors.parts import Face, PartMissing
from .joint import coordinates
from .layout import BODY, FACE, HAIR, NECK
from .parsed_person import ParsedPerson

# Parts of the head that lie beyond its picture, as a share, from which the report says so.
_CUT = 0.01
# Least area of visible clothes or neck, in squared eye distances.
_LEAST_BODY = 0.3
# Share of a face that something covers, from which the report says so.
_COVERED = 0.05
# How far above the chin neck and shoulders may begin, in eye distances; the area of the old head below that and beyond
# the new one, and of all of it, in squared eye distances, from which the report says that they are a guess. Of 49 pairs
# that were looked at, those whose neck or shoulders were badly guessed have 0.21 and more, all others 0.14 and less.
_JAW, _GUESSED, _LARGE_HOLE = 0.5, 0.18, 1.0


def remarks(head: Face, areas: Tensor, matrix: Tensor, moved: Tensor, over: Tensor, body: ParsedPerson) -> list[str]:
    """What is cut off, and what is hidden.

    `areas`: the head's layout (5, H, W) in its own picture; `matrix`: (2, 3), from there to the body's, where it is
    `moved`. `over`: (H, W), 0..1, the body's own hair or hat that stays.

    Raises PartMissing for a body of which nothing is visible.
    """
    lines = []
    scale = float(torch.linalg.det(matrix[:, :2]).abs())
    whole, arrived = float(areas[[HAIR, FACE]].sum()) * scale, float(moved[[HAIR, FACE]].sum())
    if arrived < (1 - 5 * _CUT) * whole:
        lines.append(
            f"{100 * (1 - arrived / whole):.0f} % of the head lies outside the body's picture; use a wider picture of "
            "the body, or shift or shrink the head"
        )
    own = areas[HAIR] + areas[FACE]
    border = torch.cat([own[0], own[:, 0], own[:, -1]])
    if float((border > 0.5).sum()) > _CUT * sum(own.shape):
        lines.append("the head is cut off by the border of its own picture; use a wider one")
    for whose, face in (("head", head), ("body", body.face)):
        if face.covered.get("skin", {}).get("something in front", 0) > _COVERED:
            lines.append(
                f"something covers the {whose}'s face, a hand or a microphone; what reaches beyond it "
                f"{'stays' if whose == 'body' else 'is cut off'}"
            )
    clothes = float((body.areas[BODY] + body.areas[NECK]).sum()) / body.neck.unit**2
    if clothes < _LEAST_BODY:
        raise PartMissing(
            "body: neither neck nor shoulders are visible below the face; use a picture that shows the person down to "
            "the shoulders"
        )
    hidden = (body.areas[HAIR] + body.areas[FACE]) * (1 - over) * (1 - moved[HAIR] - moved[FACE])
    along, _ = coordinates(over.shape, body.neck.chin, body.neck.down)
    low = float((hidden * (along > -_JAW * body.neck.unit)).sum()) / body.neck.unit**2
    if low > _GUESSED:
        lines.append(
            "the body's own hair hides neck or shoulders that the new head does not cover; what is under it is a "
            "guess, which a model can make anew"
        )
    elif float(hidden.sum()) / body.neck.unit**2 > _LARGE_HOLE:
        lines.append(
            "the body's own head reaches far beyond the new one; the background there is a guess, which a model can "
            "make anew"
        )
    if clothes < 3 * _LEAST_BODY:
        lines.append("little of the body is visible beside hair and face; what is under them is a guess")
    return lines
