"""What lies over a face: spectacles, hair, hands, masks. On a reference it is not taken, on the target it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window
from ..detectors.parser_builtin import BuiltinParser, Parse
from ..detectors.parts import Face
from ..detectors.regions import eye_distance
from .outline import smoothstep
from .placement import Placement
from .warp import warp_mask

# Classes of the parser that cover a part. Brows and beards may count as hair, so hair covers only what it hangs over,
# and the nose, which would bring a moustache along.
_OVER_ALL = ("frame", "occluder", "hat")
COVERS: Mapping[str, tuple[str, ...]] = {
    "skin": (*_OVER_ALL, "hair"),
    "left_eye": (*_OVER_ALL, "hair"),
    "right_eye": (*_OVER_ALL, "hair"),
    "nose": (*_OVER_ALL, "hair"),
}
# Probabilities from which a pixel counts as covered, and from which wholly: thin wires share theirs with the skin.
_SOME, _WHOLE = 0.15, 0.45
# A hand or a mask covers at least this much, in squared eye distances; red cheeks that are taken for one cover less.
_LEAST_OCCLUDER = 0.35
# A cover is this much wider, in eye distances, than the parser sees it: frames throw a thin shadow.
_SHADOW = 0.012


@cache
def builtin_parser() -> BuiltinParser:
    """The pack's own parser, on the CPU, loaded when it is first needed."""
    return BuiltinParser()


@dataclass(frozen=True, eq=False)
class Cover:
    """One parsed face of one picture."""

    parse: Parse
    unit: float

    def of(self, side: str) -> Tensor:
        """(h, w), 0..1 over the parsed window: 1 where something lies over that side of a part."""
        classes = COVERS.get(side, _OVER_ALL)
        if float(self.parse.in_window("occluder").sum()) < _LEAST_OCCLUDER * self.unit**2:
            classes = tuple(name for name in classes if name != "occluder")
        seen = self.parse.in_window(*classes)
        reach = 2 * max(1, round(_SHADOW * self.unit)) + 1
        seen = functional.max_pool2d(seen[None, None], reach, 1, reach // 2)[0, 0]
        return smoothstep((seen - _SOME) / (_WHOLE - _SOME))

    def on_target(self, side: str, window: Window) -> Tensor:
        """The same over a window of the picture; nothing is known, and nothing covered, beyond the parsed one."""
        x0, y0, x1, y1 = window
        cover, (x, y) = self.of(side), self.parse.corner
        whole = torch.zeros(y1 - y0, x1 - x0)
        left, top = max(x0, x), max(y0, y)
        right, bottom = min(x1, x + cover.shape[1]), min(y1, y + cover.shape[0])
        if right > left and bottom > top:
            whole[top - y0 : bottom - y0, left - x0 : right - x0] = cover[top - y : bottom - y, left - x : right - x]
        return whole

    def on_reference(self, side: str, placement: Placement, window: Window) -> Tensor:
        """The same over a window of the target, where the reference is laid."""
        corner = torch.tensor(self.parse.corner)
        linear, shift = placement.matrix[:, :2], placement.matrix[:, 2:]
        matrix = torch.cat([linear, linear @ corner[:, None].to(linear.dtype) + shift], 1)
        bend = None if placement.bend is None else (placement.bend[0] - corner, placement.bend[1])
        return warp_mask(self.of(side), matrix, window, bend)


class CoverFinder:
    """Says what lies over faces; each face is parsed once."""

    def __init__(self) -> None:
        self._covers: dict[int, tuple[Face, Cover | None]] = {}

    def __call__(self, picture: Tensor, face: Face) -> Cover | None:
        """What lies over a face of the picture (H, W, 3), 0..1; None for one without landmarks, which is not parsed."""
        if id(face) not in self._covers:
            cover = Cover(builtin_parser()(picture, face), eye_distance(face)) if face.scheme else None
            self._covers[id(face)] = face, cover
        return self._covers[id(face)][1]
