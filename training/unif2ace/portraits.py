"""Photographs -> small squares of faces with their measured descriptions as captions, and questions about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parser_regions import PARSED_PARTS, parsed_where_missing
from ...detectors.parts import Box
from ...detectors.selection import choose
from ...metrics.describe.attribute import CERTAIN
from ...metrics.describe.describe import describe
from ...metrics.describe.text import text_of
from ..core.pictures import prepare as store

# Side of the square over the face's box: the hair is in it.
_AROUND = 1.7
CAPTION = "Describe this face in detail."


@dataclass(frozen=True, eq=False)
class Portrait:
    """`picture`: (3, S, S) float32 -1..1. `words`: attribute -> its word, as far as it is certain."""

    picture: Tensor
    caption: str
    words: Mapping[str, str]

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Questions with their answers; the first asks for the caption."""
        asked = [(f"What is the {name.replace('_', ' ')}?", word) for name, word in self.words.items()]
        return [(CAPTION, self.caption), *asked]


def prepare(pictures: Sequence[Path], folder: Path, size: int, progress: Callable[[int], None]) -> None:
    """Describe and cut the pictures that `folder` does not have yet; those without a face are left out."""
    detector, parser = BuiltinDetector(), BuiltinParser()
    store(pictures, folder, lambda picture: _describe(picture, size, detector, parser), progress)


def _describe(
    picture: Tensor, size: int, detector: BuiltinDetector, parser: BuiltinParser
) -> dict[str, Any] | None:
    chosen = choose(picture, find_faces(picture, detector), "large-small")
    parts = parsed_where_missing(chosen, PARSED_PARTS, lambda: parser)
    face = parts.face(0)
    if face is None:
        return None
    description = describe(picture[0], face)
    words = {name: attribute.word for name, attribute in description.items() if attribute.confidence >= CERTAIN}
    byte = (square(picture[0], face.box, size) * 255).round().byte().numpy()
    return {"picture": byte, "caption": text_of(description, "caption"), "words": json.dumps(words)}


def square(picture: Tensor, box: Box, size: int) -> Tensor:
    """(3, size, size) 0..1 around `box` of `picture` (H, W, 3), inside it."""
    height, width, _ = picture.shape
    x0, y0, x1, y1 = box
    side = int(min(_AROUND * max(x1 - x0, y1 - y0), height, width))
    x = min(max(round((x0 + x1 - side) / 2), 0), width - side)
    y = min(max(round((y0 + y1 - side) / 2), 0), height - side)
    cut = picture[y : y + side, x : x + side].permute(2, 0, 1)[None]
    return functional.interpolate(cut, (size, size), mode="bilinear", antialias=True)[0].clamp(0, 1)


def load(folder: Path) -> dict[str, Portrait]:
    """By the photographs' names. Raises ValueError for a folder that `prepare` did not fill."""
    portraits = {}
    for path in sorted(folder.glob("*.npz")):
        values = np.load(path)
        picture = torch.from_numpy(values["picture"]).float() / 127.5 - 1
        portraits[path.stem] = Portrait(picture, str(values["caption"]), json.loads(str(values["words"])))
    if not portraits:
        raise ValueError(f"{folder} holds no portraits; name a folder of pictures with --portraits")
    return portraits
