"""A language model's description of a face: what it is asked, and what of its answer contradicts the measurements."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.boxes import Box
from ...detectors.crops import shrink
from ...detectors.parts import Face
from .attribute import CERTAIN
from .choose import phrases
from .describe import Description
from .text import text_of

QUESTION = "Describe this face in one paragraph, as a prompt for an image model. Do not guess age, sex or ethnicity."
# Pixels of the picture that the model looks at: the face at the left, eyes, nose and mouth at the right.
_FACE, _PART = 448, (224, 150)
# How much more than the face and than a part is shown, as a share of its box.
_AROUND_FACE, _AROUND_PART = 0.35, 0.3
# What makes a phrase the opposite when it goes right before.
_NEGATION = re.compile(r"(?:\bno|\bnot|\bwithout|n't|没有|没|不|ない)\W*(?:an?\s|any\s|visible\s)?\W*$", re.IGNORECASE)


def prompt_for(description: Description, question: str) -> str:
    """The question with what was measured and is certain."""
    facts = text_of(description, "prompt for SD")
    return f"{question.strip()}\nMeasured, and to be relied on: {facts}."


def sheet(picture: Tensor, face: Face) -> Tensor:
    """(1, 448, 672, 3) 0..1: the face with eyes, nose and mouth beside it, from a picture (H, W, 3)."""
    boxes = [face.box_of(part) if face.has(part) else face.box for part in ("eyes", "nose", "mouth")]
    parts = [_cut(picture, box, _PART[1], _PART[0], _AROUND_PART) for box in boxes]
    column = torch.cat(parts)
    column = functional.pad(column.permute(2, 0, 1), (0, 0, 0, max(0, _FACE - len(column)))).permute(1, 2, 0)[:_FACE]
    return torch.cat([_cut(picture, face.box, _FACE, _FACE, _AROUND_FACE), column], 1)[None]


def contradictions(answer: str, description: Description) -> list[str]:
    """Each phrase of the answer that says something else than what was measured and is certain."""
    small = answer.lower()
    clashes = []
    for phrase, (name, words) in sorted(phrases().items(), key=lambda pair: -len(pair[0])):
        attribute = description.get(name)
        if attribute is None or attribute.confidence < CERTAIN:
            continue
        for match in re.finditer(_whole(phrase), small):
            negated = bool(_NEGATION.search(small[: match.start()]))
            if (attribute.word in words) == negated:
                said = f"no {phrase}" if negated else phrase
                clashes.append(
                    f"the answer says '{said}', but {name.replace('_', ' ')} was measured as {attribute.word} "
                    f"({attribute.number:.3g} {attribute.unit})"
                )
            # A longer phrase says it all: "no visible teeth" is not read as "teeth" once more.
            small = small[: match.start()] + "#" * len(match[0]) + small[match.end() :]
    return clashes


def _whole(phrase: str) -> str:
    return rf"\b{re.escape(phrase)}\b" if phrase.isascii() else re.escape(phrase)


def _cut(picture: Tensor, box: Box, height: int, width: int, around: float) -> Tensor:
    """(height, width, 3): the box and what is around it, undistorted, on black."""
    x0, y0, x1, y1 = box
    across, up = (x1 - x0) * around / 2, (y1 - y0) * around / 2
    left, top = max(0, int(x0 - across)), max(0, int(y0 - up))
    right, bottom = min(picture.shape[1], int(x1 + across) + 1), min(picture.shape[0], int(y1 + up) + 1)
    if right <= left or bottom <= top:
        return picture.new_zeros(height, width, 3)
    scale = min(width / (right - left), height / (bottom - top))
    size = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
    part = shrink(picture[None, top:bottom, left:right].permute(0, 3, 1, 2), *size)[0].clamp(0, 1)
    spare = width - size[1], height - size[0]
    margins = (spare[0] // 2, spare[0] - spare[0] // 2, spare[1] // 2, spare[1] - spare[1] // 2)
    return functional.pad(part, margins).permute(1, 2, 0)
