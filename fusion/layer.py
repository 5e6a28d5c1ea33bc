"""One side of a part, laid over a photograph and ready to be mixed into it at any strength."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..detectors.boxes import Window, window_of
from .canvas import Canvas, Style
from .lab import to_lab, to_rgb
from .light import meet
from .monochrome import into_tone
from .placement import Placement
from .similarity import fit_similarity
from .warp import warp_window

# Pixels kept around the edge of a layer, from which it is resampled.
_MARGIN = 4.0


@dataclass(frozen=True, eq=False)
class Layer:
    """One side of a part, ready to be mixed into the target at any strength.

    `window`: x0, y0, x1, y1 in pixels of the target. `unit`: pixels per eye distance. `placement`: of the part.
    `reference`: (h, w, 3) L, a, b over the window, in the target's light.
    `alpha`: (h, w), 0..1, how far the blend is the reference's. `limit`: (h, w), 0..1, alpha at most.
    """

    window: Window
    unit: float
    placement: Placement
    reference: Tensor
    alpha: Tensor
    limit: Tensor

    @property
    def bytes(self) -> int:
        return sum(one.numel() * one.element_size() for one in (self.reference, self.alpha, self.limit))

    def cropped(self) -> Layer:
        """Without what lies so far beyond its edge that nothing changes there at any strength."""
        near = self.near_edge(_reach(self.placement.own, self.placement.place))
        return replace(near, reference=near.reference.clone(), alpha=near.alpha.clone(), limit=near.limit.clone())

    def near_edge(self, margin: float) -> Layer:
        """What lies at most `margin` pixels beyond its edge, not copied; itself where nothing is blended."""
        rows, columns = (torch.nonzero(self.alpha.amax(along))[:, 0].tolist() for along in (1, 0))
        if not rows:
            return self
        x0, y0, x1, y1 = self.window
        window = window_of((columns[0], rows[0], columns[-1], rows[-1]), (y1 - y0, x1 - x0), margin)
        left, top, right, bottom = window or (0, 0, x1 - x0, y1 - y0)
        maps = (one[top:bottom, left:right] for one in (self.reference, self.alpha, self.limit))
        return Layer((x0 + left, y0 + top, x0 + right, y0 + bottom), self.unit, self.placement, *maps)


def _reach(one: Tensor, other: Tensor) -> float:
    """How far, in pixels, a layer may reach beyond its edge that moves from points (N, 2) to others."""
    return _MARGIN + float((one - other).norm(dim=1).amax())


def mix(canvas: Canvas, layer: Layer, strength: float, style: Style) -> None:
    """Blend a layer into the canvas, at `strength`, 0..1, of its shape and place and of its colours."""
    u0, v0, u1, v1 = layer.window
    layer = (_at_share(layer, strength) if strength < 1 else layer).near_edge(_MARGIN)
    x0, y0, x1, y1 = layer.window
    around = x0 - u0, u1 - x1, y0 - v0, v1 - y1
    local, alpha = canvas.picture[y0:y1, x0:x1], layer.alpha
    target = to_lab(local)
    reference = meet(layer.reference, target, alpha, layer.unit, around)
    if canvas.tone is not None:
        reference = into_tone(reference, canvas.tone, style.tone)
    if strength < 1:
        target = to_lab(_reshaped(canvas.picture, layer, alpha))
    blended = to_rgb(torch.lerp(target, reference, (alpha * strength)[..., None]))
    canvas.picture[y0:y1, x0:x1] = torch.where((alpha > 0)[..., None], blended, local)
    canvas.changed[y0:y1, x0:x1] = torch.maximum(canvas.changed[y0:y1, x0:x1], alpha)


def _at_share(layer: Layer, share: float) -> Layer:
    """The layer with its shape and place this share, 0..1, of the way from the target's own to its own."""
    whole = layer.placement
    placement = whole.at_share(share)
    if torch.equal(placement.place, whole.place):
        return layer
    x0, y0, x1, y1 = layer.window
    before, after = (place - torch.tensor([x0, y0]) for place in (whole.place, placement.place))
    stack = torch.cat([layer.reference, layer.alpha[..., None]], -1)
    bend = None if whole.bend is None else (before, after)
    moved, inside = warp_window(stack, fit_similarity(before, after), (0, 0, x1 - x0, y1 - y0), bend)
    alpha = torch.minimum(moved[..., 3].clamp(0, 1) * inside, layer.limit)
    return replace(layer, placement=placement, reference=moved[..., :3], alpha=alpha)


def _reshaped(picture: Tensor, layer: Layer, alpha: Tensor) -> Tensor:
    """(h, w, 3): the target in the window, with its own part in the shape and place of the blended one."""
    x0, y0, x1, y1 = window = layer.window
    placement = layer.placement
    if placement.bend is None or torch.equal(placement.own, placement.place):
        return picture[y0:y1, x0:x1]
    same = torch.eye(2, 3, dtype=torch.float64)
    moved, _ = warp_window(picture, same, window, (placement.own, placement.place), alpha)
    return moved.clamp(0, 1)
