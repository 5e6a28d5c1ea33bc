"""Photographs of one person, cut to the face, with what of them may be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parser_regions import parsed_where_missing
from ...detectors.parts import FaceParts, PartMissing, of_input
from ...detectors.progress import Progress, counted
from ...detectors.selection import FaceMissing
from ...fusion.crop import ALIGNMENTS, crop_faces
from ...fusion.masks import part_mask

WHOLE_PICTURE = "whole picture"
CROPS = (*ALIGNMENTS, WHOLE_PICTURE)
# Sides of an uncropped photograph in pixels: a UNet halves its latent of 8 x 8 pixels to the cell three times.
_MULTIPLE = 64
# What is not looked at, on the picture that shows it.
_DIMMED = 0.25

# Pictures (1, H, W, 3) -> the largest face. Raises FaceMissing.
Find = Callable[[Tensor], FaceParts]


class Photograph(NamedTuple):
    """`picture`: (1, H, W, 3) float32, 0..1. `view`: (1, H, W) 0..1, above 0 where it may be looked at, or None."""

    picture: Tensor
    view: Tensor | None

    def shown(self, side: int) -> Tensor:
        """(side, side, 3): the picture, dark where it is not looked at, in the middle of a black square."""
        picture = self.picture
        if self.view is not None:
            picture = picture * (_DIMMED + (1 - _DIMMED) * (self.view > 0)[..., None])
        fitted = _resized(picture, side / max(picture.shape[1:3]), 1)[0]
        square, (height, width) = torch.zeros(side, side, 3), fitted.shape[:2]
        y, x = (side - height) // 2, (side - width) // 2
        square[y : y + height, x : x + width] = fitted
        return square


def cut_photographs(
    photographs: Mapping[str, Tensor], find: Find, parser: Callable[[], BuiltinParser], *, crop: str, size: int,
    padding: float, parts: Sequence[str], progress: Progress | None = None,
) -> list[Photograph]:  # fmt: skip
    """Every picture of every input, cut and with its view.

    `photographs`: input -> pictures (B, H, W, 3) float32, 0..1.
    `find`: finds the face. It is not called where neither `crop` nor `parts` need one.
    `parser`: gives the parser for parts that landmarks do not give.
    `crop`: of CROPS; all but "whole picture" as `crop_faces` takes it, with `size` and `padding`.
    `size`: side of the square, of "whole picture" the longer side, in pixels.
    `parts`: what may be looked at, all of the picture when empty.
    `progress`: called after each picture.

    Raises ValueError naming input and picture for a photograph without a face, and for parts that are not seen.
    """
    if crop not in CROPS:
        raise ValueError(f"crop is '{crop}'; choose one of {', '.join(CROPS)}")
    done = []
    for name, number, count, picture in counted(list(_single(photographs)), progress):
        if crop == WHOLE_PICTURE:
            picture = _resized(picture, size / max(picture.shape[1:3]), _MULTIPLE)
            if not parts:
                done.append(Photograph(picture, None))
                continue
        with _of_photograph(name, number, count):
            faces = find(picture)
            if crop != WHOLE_PICTURE:
                picture, faces, _ = crop_faces(faces, size, crop, padding)
            done.append(Photograph(picture, _view(faces, parts, parser) if parts else None))
    return done


def _single(photographs: Mapping[str, Tensor]) -> Iterator[tuple[str, int, int, Tensor]]:
    for name, pictures in photographs.items():
        for i in range(len(pictures)):
            yield name, i, len(pictures), pictures[i : i + 1]


@contextmanager
def _of_photograph(name: str, number: int, count: int) -> Iterator[None]:
    """Errors about a face that are raised inside are prefixed with the input and the number of the picture."""
    try:
        with of_input(name, number, count):
            yield
    except FaceMissing as missing:
        which = f"{name}, picture {number + 1} of {count}" if count > 1 else name
        raise ValueError(
            f"{which}: no face was found in it; take a photograph that shows one, larger or sharper, or set crop to "
            f"'{WHOLE_PICTURE}' and look_at to 'all'"
        ) from missing


def _view(faces: FaceParts, parts: Sequence[str], parser: Callable[[], BuiltinParser]) -> Tensor:
    """(1, H, W). Raises ValueError when nothing of the parts is seen."""
    parsed = parsed_where_missing(faces, parts, parser)
    face = parsed.face(0)
    # Half covered pixels are the edge's; what lies beyond it is background.
    view = (part_mask(face, parts, faces.size) >= 0.5).float() if face is not None else torch.zeros(faces.size)
    if not bool(view.any()):
        raise PartMissing(f"nothing of {', '.join(parts)} is seen in it; choose other parts, or another photograph")
    return view[None]


def _resized(picture: Tensor, scale: float, multiple: int) -> Tensor:
    height, width = (max(multiple, round(n * scale / multiple) * multiple) for n in picture.shape[1:3])
    if (height, width) == tuple(picture.shape[1:3]):
        return picture
    channels = picture.movedim(-1, 1)
    resized = functional.interpolate(channels, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized.movedim(1, -1).clamp(0, 1)
