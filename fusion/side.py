"""One side of a part on its way into a picture: where it is laid, what covers it, and whether a mirror image serves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..detectors.motion import iris_positions
from ..detectors.parts import GROUPS, Face
from ..detectors.regions import eye_distance
from .area import Area, features_mask, side_area
from .canvas import Canvas, Source, Style
from .outline import outlines
from .placement import SAME_TURN, Placement, place_part
from .similarity import scale_of
from .suitability import Fit, is_edge_on

# How far an iris lies from the middle of its eye when the gaze goes aside, in halves of the eye's width.
_ASIDE = 0.3
# How far an eye behind a lens reaches, as a share: rims that the parser missed, and their shadows, lie farther out.
_WITHIN_LENS = 0.5


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a part on its way into a picture.

    `source`: who gives it, or the mirror image.
    `mirrored`: whether it, or the other side of the same part, is a mirror image.
    `unit`: pixels per eye distance of the target.
    `grow`: factor on the reach beyond the outline.
    `features`: (h, w), 0..1, 1 where the target keeps its own brows, eyes, nose and mouth; None: nowhere.
    `cover`, `own_cover`: (h, w) or (), 0..1: what lies over the part on the reference and on the target.
    """

    name: str
    area: Area
    placement: Placement
    source: Source
    unit: float
    grow: float
    features: Tensor | None
    cover: Tensor
    own_cover: Tensor
    mirrored: bool = False

    @cached_property
    def fit(self) -> Fit:
        """How well the reference suits the target, as far as that is known before they are compared."""
        inside = (self.area.distance < 0).float()
        shares = [float((one * inside).sum() / inside.sum().clamp_min(1)) for one in (self.cover, self.own_cover)]
        return Fit(
            self.placement.turn,
            scale_of(self.placement.matrix),
            cover_on_reference=shares[0],
            cover_on_target=shares[1],
            mirrored=self.mirrored,
        )


def sides_of(part: str, canvas: Canvas, face: Face, source: Source, placement: Placement, style: Style) -> list[Side]:
    """The sides of `part` that lie within the picture; `placement`: of `placement_of`."""
    edge_on = {name: _is_edge_on(name, face, source, placement) for name in GROUPS.get(part, (part,))}
    givers = {False: (source, placement)}
    if any(edge_on.values()):
        mirrored = placement_of(part, face, source.mirror, style)
        givers[True] = source.mirror, replace(mirrored, turn=placement.turn)
    sides = [_side(name, canvas, face, *givers[is_one], style) for name, is_one in edge_on.items()]
    return [replace(side, mirrored=True in givers) for side in sides if side]


def placement_of(part: str, face: Face, source: Source, style: Style) -> Placement:
    """Where `part` of the source goes on the target's `face`, laid wholly."""
    follow = style.warp == "piecewise" or (part == "skin" and style.skin_only)
    return place_part(part, face, source.face, follow).at_share(1.0)


def looks_aside(face: Face, side: str) -> bool:
    """Whether one eye looks so far aside that its mirror image beside it would squint; False where unknown."""
    irises = iris_positions(face)
    if irises is None or side not in GROUPS["eyes"]:
        return False
    return abs(irises[2 * GROUPS["eyes"].index(side)]) > _ASIDE


def _side(name: str, canvas: Canvas, face: Face, source: Source, placement: Placement, style: Style) -> Side | None:
    """None when it lies outside the picture."""
    behind_lens = source.cover is not None and source.cover.spectacles and name in GROUPS["eyes"]
    grow = style.grow * (_WITHIN_LENS if behind_lens else 1)
    area = side_area(name, face, source.face, placement, canvas.size, grow)
    if area is None:
        return None
    features = features_mask(face, area.window) if name == "skin" and style.skin_only else None
    own_cover = cover = torch.zeros(())
    if canvas.cover is not None:
        own_cover = canvas.cover.on_target(name, area.window, area.beyond_target)
    if source.cover is not None:
        cover = source.cover.on_reference(name, placement, area.window, area.beyond_target)
    return Side(name, area, placement, source, eye_distance(face), grow, features, cover, own_cover)


def _is_edge_on(name: str, face: Face, source: Source, placement: Placement) -> bool:
    """Whether the reference shows this one of two sides from its edge, so that the other's mirror image serves better.

    What was painted cannot be mirrored.
    """
    if placement.turn is None or placement.turn <= SAME_TURN or not any(name in sides for sides in GROUPS.values()):
        return False
    if source.face.regions[name].mask is not None:
        return False
    return is_edge_on(placement.foreshortening(torch.cat(outlines(face, name))))
