"""What lies over a face: spectacles, hair, hands, masks. On a reference it is not taken, on the target it stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window
from ..detectors.parser_builtin import BuiltinParser, Parse
from ..detectors.parser_net import CLASSES
from ..detectors.parts import Face
from ..detectors.regions import eye_distance
from .fade import fade_out
from .outline import smoothstep
from .placement import Placement
from .similarity import apply_affine, compose_affine, invert_affine
from .warp import warp_mask

# What covers every part, and what covers some more: hair what it may hang over (brows may count as hair), and a lens
# the nose beside it, but not the eye behind it.
_OVER_ALL = ("frame", "hat")
_OVER: Mapping[str, tuple[str, ...]] = {
    "skin": (*_OVER_ALL, "hair"),
    "left_eye": (*_OVER_ALL, "hair"),
    "right_eye": (*_OVER_ALL, "hair"),
    "nose": (*_OVER_ALL, "lens"),
}
# Probabilities from which a pixel counts as covered, and from which wholly: thin wires share theirs with the skin.
_SOME, _WHOLE = 0.15, 0.45
# A hand or a mask covers at least this much, in squared eye distances; red cheeks that are taken for one cover less.
_LEAST_OCCLUDER = 0.35
# Share of the face's light below which a lens is a sunglass: a mirrored one has .54, and none of 52 pairs of clear
# spectacles lies below.
_DARK_LENS = 0.57
# Length in eye distances over which a cover fades out around what the parser sees: frames throw a shadow, and the part
# must meet the target there.
_EDGE = 0.04


@cache
def _parser_on_cpu() -> BuiltinParser:
    """Kept between calls, as reading its weights takes longer than using them."""
    return BuiltinParser()


@dataclass(frozen=True, eq=False)
class Cover:
    """What lies over one parsed face, on the parser's own grid.

    `to_picture`: (2, 3), cells of the grid -> pixels of the picture.
    `draw`: classes of the parser -> (h, w), 0..1, 1 where one of them is seen; called once for each.
    """

    to_picture: Tensor
    draw: Callable[[tuple[str, ...]], Tensor]

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
        return self.draw(_OVER.get(side, _OVER_ALL))


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
    x, y = parse.corner
    to_picture = torch.tensor([[parse.step, 0, x], [0, parse.step, y]], dtype=torch.float64)
    unit = unit / parse.step
    hand = float(parse.coarse[CLASSES.index("occluder")].sum()) >= _LEAST_OCCLUDER * unit**2
    more = (("occluder",) if hand else ()) + (("lens",) if _has_dark_lenses(parse) else ())
    return Cover(to_picture, cache(lambda classes: _drawn(parse, (*classes, *more), unit)))


def _has_dark_lenses(parse: Parse) -> bool:
    """Whether sunglasses are worn: lenses so much darker than the face that no eyes can be seen behind them."""
    lens, skin = ((parse.coarse[CLASSES.index(name)] > 0.5).float() for name in ("lens", "face"))
    if not parse.spectacles or float(lens.sum()) == 0 or float(skin.sum()) == 0:
        return False
    light = functional.avg_pool2d(parse.window.mean(0)[None], parse.step, ceil_mode=True, count_include_pad=False)[0]
    of_lens, of_skin = (float((light * area).sum() / area.sum()) for area in (lens, skin))
    return of_lens < _DARK_LENS * of_skin


def _drawn(parse: Parse, classes: Sequence[str], unit: float) -> Tensor:
    """(h, w), 0..1: where any of the classes is seen, with a soft edge around it. `unit`: cells per eye distance."""
    seen = parse.coarse[[CLASSES.index(name) for name in classes]].sum(0)
    return fade_out(smoothstep((seen - _SOME) / (_WHOLE - _SOME))[None], max(2, round(_EDGE * unit)))[0]
