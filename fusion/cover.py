"""What lies over a face: spectacles, hair, hands, masks. On a reference it is not taken, on the target it stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..detectors.boxes import Window
from ..detectors.parser_builtin import BuiltinParser, Parse
from ..detectors.parser_net import CLASSES
from ..detectors.parts import Face
from ..detectors.regions import eye_distance
from .dilation import dilate
from .outline import smoothstep
from .placement import Placement
from .similarity import apply_affine, compose_affine, invert_affine
from .warp import warp_mask

# Sides of parts that hair may hang over. Brows may count as hair, and beards do not.
_UNDER_HAIR = ("skin", "left_eye", "right_eye")
# Probabilities from which a pixel counts as covered, and from which wholly: thin wires share theirs with the skin.
_SOME, _WHOLE = 0.15, 0.45
# A hand or a mask covers at least this much, in squared eye distances; red cheeks that are taken for one cover less.
_LEAST_OCCLUDER = 0.35
# A cover is this much wider, in eye distances, than the parser sees it: frames throw a thin shadow.
_SHADOW = 0.012


@cache
def _parser_on_cpu() -> BuiltinParser:
    """Kept between calls, as reading its weights takes longer than using them."""
    return BuiltinParser()


@dataclass(frozen=True, eq=False)
class Cover:
    """What lies over one parsed face, on the parser's own grid.

    `to_picture`: (2, 3), cells of the grid -> pixels of the picture.
    `with_hair`, `without_hair`: (h, w), 0..1, 1 where something lies over the face.
    """

    to_picture: Tensor
    with_hair: Tensor
    without_hair: Tensor

    def on_target(self, side: str, window: Window) -> Tensor:
        """(h, w), 0..1, over a window of the picture, for one side of a part; 0 beyond what was parsed."""
        return warp_mask(self._of(side), self.to_picture, window)

    def on_reference(self, side: str, placement: Placement, window: Window) -> Tensor:
        """The same over a window of the target, where the reference is laid."""
        cells = invert_affine(self.to_picture)
        matrix = compose_affine(placement.matrix, self.to_picture)
        bend = None if placement.bend is None else (apply_affine(cells, placement.bend[0]), placement.bend[1])
        return warp_mask(self._of(side), matrix, window, bend)

    def _of(self, side: str) -> Tensor:
        return self.with_hair if side in _UNDER_HAIR else self.without_hair


class CoverFinder:
    """Says what lies over faces; each face is parsed once."""

    def __init__(self, parser: BuiltinParser | None = None) -> None:
        """`parser`: None for one on the CPU, kept between calls."""
        self._parser = parser or _parser_on_cpu()
        self._covers: dict[int, tuple[Face, Cover | None]] = {}

    def __call__(self, picture: Tensor, face: Face) -> Cover | None:
        """What lies over a face of the picture (H, W, 3), 0..1; None for one without landmarks, which is not parsed."""
        if id(face) not in self._covers:
            cover = _cover(self._parser(picture, face, wide=False), eye_distance(face)) if face.scheme else None
            self._covers[id(face)] = face, cover
        return self._covers[id(face)][1]


def _cover(parse: Parse, unit: float) -> Cover:
    """`unit`: pixels per eye distance."""
    rows, columns = parse.coarse.shape[1:]
    height, width = parse.window.shape[1:]
    cell_width, cell_height = width / columns, height / rows
    x, y = parse.corner
    to_picture = torch.tensor([[cell_width, 0, x], [0, cell_height, y]], dtype=torch.float64)
    unit = unit / cell_width
    classes = ["frame", "hat"]
    if float(parse.coarse[CLASSES.index("occluder")].sum()) >= _LEAST_OCCLUDER * unit**2:
        classes.append("occluder")
    return Cover(to_picture, _drawn(parse, [*classes, "hair"], unit), _drawn(parse, classes, unit))


def _drawn(parse: Parse, classes: Sequence[str], unit: float) -> Tensor:
    """(h, w), 0..1: where any of the classes is seen, a little wider. `unit`: cells per eye distance."""
    seen = parse.coarse[[CLASSES.index(name) for name in classes]].sum(0)
    wider = dilate(seen[None, None], max(1, round(_SHADOW * unit)))[0, 0]
    return smoothstep((wider - _SOME) / (_WHOLE - _SOME))
