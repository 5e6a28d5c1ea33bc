"""Where a region lies in a picture, and where it comes to lie when another face's is laid there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...detectors.boxes import Window, bounding_box, corners_of, pixel_span
from ...detectors.parts import Face
from ...detectors.schemes import anchors
from ..correspondence import shared_points
from ..masks import part_mask
from ..similarity import apply_affine, fit_similarity
from ..warp import warp_window
from .tasks import FEATURES, PART_OF

HEAD = "head"
# Bottom to top: where two of them cover one pixel, the later one lies above.
LAYERS = ("background", "skin", *FEATURES, "ears", "hair")


@dataclass(frozen=True, eq=False)
class Laid:
    """A region of another face over `window` (x0, y0, x1, y1) of the base: `pixels` (h, w, 3), `area` (h, w) 0..1."""

    window: Window
    pixels: Tensor
    area: Tensor


def region_area(face: Face, region: str, size: tuple[int, int]) -> Tensor | None:
    """One of REGIONS, or "head", as (H, W) 0..1 in a picture of `size`; None when this face does not have it.

    A head that nobody gave is skin, hair and, where known, ears; a background that nobody gave is all but head and
    neck.
    """
    part = PART_OF.get(region, region)
    if face.has(part):
        return part_mask(face, (part,), size)
    if region == HEAD and face.has("skin") and face.has("hair"):
        return part_mask(face, [p for p in ("skin", "hair", "ears") if face.has(p)], size)
    if region == "background" and (head := region_area(face, HEAD, size)) is not None:
        neck = part_mask(face, ("neck",), size) if face.has("neck") else torch.zeros(())
        return (1 - torch.maximum(head, neck)).clamp(0, 1)
    return None


def lay_region(
    picture: Tensor, face: Face, base: Face, region: str, own: Sequence[str], size: tuple[int, int]
) -> Laid | None:
    """`region` of `face` in `picture` (H, W, 3), moved to where `base` has its own, in a picture of `size`.

    A feature is laid by its own landmarks, everything else with the face as a whole: scale, roll and shift. Of what
    lies above the region on that face only `own` comes along. None when this face does not have the region.
    """
    there = (picture.shape[0], picture.shape[1])
    area = region_area(face, region, there)
    if area is None:
        return None
    matrix = fit_similarity(*_points(face, base, region))
    for above in LAYERS[LAYERS.index(region) + 1 :] if region in LAYERS else ():
        foreign = None if above in own else region_area(face, above, there)
        area = area if foreign is None else area * (1 - foreign)
    window = _window(area, matrix, size)
    pixels, _ = warp_window(picture, matrix, window)
    shape, inside = warp_window(area[..., None], matrix, window)
    # The filter's own rounding must not count as a trace of the region.
    shape = shape[..., 0].clamp(0, 1) * inside
    return Laid(window, pixels.clamp(0, 1), torch.where(shape < 1e-3, torch.zeros(()), shape))


def _points(face: Face, base: Face, region: str) -> tuple[Tensor, Tensor]:
    if region in FEATURES:
        return shared_points(face, base, PART_OF[region])
    if face.scheme and base.scheme:
        ours, theirs = anchors(face.landmarks, face.scheme), anchors(base.landmarks, base.scheme)
        names = [name for name in ours if name in theirs]
        return torch.stack([ours[n] for n in names]), torch.stack([theirs[n] for n in names])
    return corners_of(face.box), corners_of(base.box)


def _window(area: Tensor, matrix: Tensor, size: tuple[int, int]) -> Window:
    """The part of the base that the area can reach; one pixel where that is nothing."""
    ys, xs = torch.nonzero(area.amax(1)).flatten(), torch.nonzero(area.amax(0)).flatten()
    if not len(ys):
        return 0, 0, 1, 1
    box = float(xs[0]), float(ys[0]), float(xs[-1]) + 1, float(ys[-1]) + 1
    left, top, right, bottom = bounding_box(apply_affine(matrix, corners_of(box, matrix.dtype)))
    (x0, x1), (y0, y1) = pixel_span(left, right, size[1], 2), pixel_span(top, bottom, size[0], 2)
    return x0, y0, x1, y1
