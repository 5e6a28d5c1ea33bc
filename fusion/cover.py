"""What lies over a face: spectacles, hair, hands, masks. On a reference it is not taken, on the target it stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window
from ..detectors.parser_builtin import BuiltinParser, Parse
from ..detectors.parser_net import CLASSES
from ..detectors.parts import Face
from ..detectors.regions import eye_distance
from .facial_hair import facial_hair
from .fade import fade_out
from .outline import smoothstep
from .placement import SAME_TURN, Placement
from .similarity import compose_affine, flip, invert_affine, scale_of
from .warp import points_in_picture, sampled

# What covers a part: hair but for brows, which may count as hair, and a lens the nose beside it, but not the eye behind
# it.
_OVER_BROW = ("frame", "hat")
_OVER_ALL = (*_OVER_BROW, "hair")
_OVER: Mapping[str, tuple[str, ...]] = {
    "left_brow": _OVER_BROW,
    "right_brow": _OVER_BROW,
    "nose": (*_OVER_ALL, "lens"),
}
# Parts around which a beard or moustache grows.
_BESIDE_HAIR = ("nose", "mouth")
# What lies behind the edge of a head, and comes into a part where the target shows more of that side.
_BEHIND = ("background", "ears", "neck", "body")
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


# Faces whose covers are kept: the references of a film serve all its frames, and each frame has a face of its own.
_KEPT = 32


@cache
def _parser_on_cpu() -> BuiltinParser:
    """Kept between calls, as reading its weights takes longer than using them."""
    return BuiltinParser()


@dataclass(frozen=True, eq=False)
class Cover:
    """What lies over one parsed face, on the parser's own grid.

    `to_picture`: (2, 3), cells of the grid -> pixels of the picture.
    `draw`: classes of the parser -> (h, w), 0..1, 1 where one of them is seen; called once for each.
    `facial_hair`: the same for beard and moustache, which the parser does not know.
    `spectacles`: whether the face wears spectacles.
    """

    to_picture: Tensor
    draw: Callable[[tuple[str, ...]], Tensor]
    facial_hair: Callable[[], Tensor]
    spectacles: bool = False

    def on_target(self, side: str, window: Window, beside: Tensor | float = 1.0) -> Tensor:
        """(h, w), 0..1, over a window of the picture, for one side of a part; 0 beyond what was parsed.

        `beside`: (h, w), 0..1, where facial hair counts; 1: everywhere.
        """
        spots = points_in_picture(self.to_picture, window, None)
        return self._over(side, (), beside, spots, scale_of(self.to_picture))

    def on_reference(self, side: str, placement: Placement, window: Window, beside: Tensor | float = 1.0) -> Tensor:
        """The same over a window of the target, where the reference is laid; with what lies behind a turned head."""
        cells = invert_affine(self.to_picture).float()
        points = placement.points_on_reference(window)
        spots = (cells[:, :2] @ points.flatten(1) + cells[:, 2:]).view_as(points)
        behind = _BEHIND if placement.turn is not None and placement.turn > SAME_TURN else ()
        return self._over(side, behind, beside, spots, scale_of(self.to_picture) * scale_of(placement.matrix))

    def mirrored(self, width: int) -> Cover:
        """The cover of the mirror image of a picture `width` pixels wide."""
        return replace(self, to_picture=compose_affine(flip(width), self.to_picture))

    def _over(self, side: str, more: tuple[str, ...], beside: Tensor | float, spots: Tensor, scale: float) -> Tensor:
        """`more`: further classes that cover the side. `spots`, `scale`: of `warp.sampled`, on the grid."""
        masks = [self.draw((*_OVER.get(side, _OVER_ALL), *more))]
        if side in _BESIDE_HAIR:
            masks.append(self.facial_hair())
        laid, inside = sampled(torch.stack(masks, -1), spots, scale)
        cover, *hair = (laid.clamp(0, 1) * inside[..., None]).unbind(-1)
        return torch.maximum(cover, beside * hair[0]) if hair else cover


class CoverFinder:
    """Says what lies over faces; each of the last _KEPT faces is parsed once."""

    def __init__(self, parser: BuiltinParser | None = None) -> None:
        """`parser`: None for one on the CPU, kept between calls."""
        self._parser = parser or _parser_on_cpu()
        self._covers: dict[int, tuple[Face, Cover | None]] = {}

    def __call__(self, picture: Tensor, face: Face) -> Cover | None:
        """What lies over a face of the picture (H, W, 3), 0..1; None for one without landmarks, which is not parsed."""
        kept = self._covers.pop(id(face), None)
        if kept is None:
            kept = face, _cover(self._parser(picture, face, wide=False), face) if face.scheme else None
        # The last one that was asked for stands last.
        self._covers[id(face)] = kept
        if len(self._covers) > _KEPT:
            del self._covers[next(iter(self._covers))]
        return kept[1]


def _cover(parse: Parse, face: Face) -> Cover:
    x, y = parse.corner
    to_picture = torch.tensor([[parse.step, 0, x], [0, parse.step, y]], dtype=torch.float64)
    unit = eye_distance(face) / parse.step
    hand = float(parse.coarse[CLASSES.index("occluder")].sum()) >= _LEAST_OCCLUDER * unit**2
    more = (("occluder",) if hand else ()) + (("lens",) if _has_dark_lenses(parse) else ())
    soft = max(2, round(_EDGE * unit))
    return Cover(
        to_picture,
        cache(lambda classes: _drawn(parse, (*classes, *more), soft)),
        cache(lambda: facial_hair(parse, face)),
        parse.spectacles,
    )


def _has_dark_lenses(parse: Parse) -> bool:
    """Whether sunglasses are worn: lenses so much darker than the face that no eyes can be seen behind them."""
    lens, skin = ((parse.coarse[CLASSES.index(name)] > 0.5).float() for name in ("lens", "face"))
    if not parse.spectacles or float(lens.sum()) == 0 or float(skin.sum()) == 0:
        return False
    light = functional.avg_pool2d(parse.window.mean(0)[None], parse.step, ceil_mode=True, count_include_pad=False)[0]
    of_lens, of_skin = (float((light * area).sum() / area.sum()) for area in (lens, skin))
    return of_lens < _DARK_LENS * of_skin


def _drawn(parse: Parse, classes: Sequence[str], soft: int) -> Tensor:
    """(h, w), 0..1: where any of the classes is seen, with an edge of `soft` cells around it."""
    shares = parse.coarse[[CLASSES.index(name) for name in classes]].sum(0)
    return fade_out(smoothstep((shares - _SOME) / (_WHOLE - _SOME))[None], soft)[0]
