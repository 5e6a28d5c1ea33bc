"""Where a region lies in a picture, and a region of one face moved to that of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...detectors.boxes import Window, bounding_box, corners_of, pixel_span
from ...detectors.parts import Face
from ..correspondence import face_points, shared_points
from ..masks import part_mask
from ..similarity import apply_affine, fit_similarity
from ..warp import warp_mask, warp_window
from .tasks import FEATURES, PART_OF

HEAD = "head"
# Bottom to top: where two of them cover one pixel, the later one lies above.
LAYERS = ("background", "skin", *FEATURES, "ears", "hair")
# Alpha below this is a trace of the resampling filter, not of a region.
_TRACE = 1e-3


@dataclass(frozen=True, eq=False)
class MovedRegion:
    """A region of another face where it comes to lie on the base.

    `window`: x0, y0, x1, y1 in pixels of the base.
    `pixels`: (h, w, 3) float32, 0..1.
    `area`: (h, w) float32, 0..1.
    """

    window: Window
    pixels: Tensor
    area: Tensor


def layers_above(region: str) -> tuple[str, ...]:
    """The regions that lie above `region`; none above a whole head."""
    return LAYERS[LAYERS.index(region) + 1 :] if region in LAYERS else ()


def has_region(face: Face, region: str) -> bool:
    """Whether `region_area` can give this region."""
    if face.has(PART_OF.get(region, region)):
        return True
    if region == HEAD:
        return face.has("skin") and face.has("hair")
    return region == "background" and has_region(face, HEAD)


def region_area(face: Face, region: str, size: tuple[int, int]) -> Tensor | None:
    """The area of one of REGIONS, or of "head", in a picture of `size` (H, W).

    A head that no detector gives is skin, hair and, where known, ears; such a background is all but head and neck.

    Returns (H, W) float32, 0..1, or None when the face does not have the region.
    """
    return _area(face, region, size) if has_region(face, region) else None


def _area(face: Face, region: str, size: tuple[int, int]) -> Tensor:
    part = PART_OF.get(region, region)
    if face.has(part):
        return part_mask(face, (part,), size)
    if region == HEAD:
        return part_mask(face, [p for p in ("skin", "hair", "ears") if face.has(p)], size)
    neck = part_mask(face, ("neck",), size) if face.has("neck") else torch.zeros(())
    return (1 - torch.maximum(_area(face, HEAD, size), neck)).clamp(0, 1)


def move_region(
    picture: Tensor, face: Face, base: Face, region: str, given_regions: Sequence[str], size: tuple[int, int]
) -> MovedRegion | None:
    """A region of `face`, moved to where `base` has its own.

    A feature is moved by its own landmarks, everything else with the whole face: scale, roll and shift.

    `picture`: (H, W, 3) float32, 0..1, the picture of `face`.
    `region`: of REGIONS, or "head".
    `given_regions`: of what lies above the region on `face`, only these come along.
    `size`: H, W of the base's picture.

    Returns None when `face` does not have the region.
    """
    own_size = (picture.shape[0], picture.shape[1])
    area = region_area(face, region, own_size)
    if area is None:
        return None
    points = shared_points(face, base, PART_OF[region]) if region in FEATURES else face_points(face, base)
    matrix = fit_similarity(*points)
    for above in layers_above(region):
        cover = None if above in given_regions else region_area(face, above, own_size)
        area = area if cover is None else area * (1 - cover)
    window = _window(area, matrix, size)
    pixels, _ = warp_window(picture, matrix, window)
    moved_area = warp_mask(area, matrix, window)
    return MovedRegion(window, pixels.clamp(0, 1), torch.where(moved_area < _TRACE, torch.zeros(()), moved_area))


def _window(area: Tensor, matrix: Tensor, size: tuple[int, int]) -> Window:
    """The part of a picture of `size` (H, W) that the moved area can reach; one pixel where it reaches nothing."""
    ys, xs = torch.nonzero(area.amax(1)).flatten(), torch.nonzero(area.amax(0)).flatten()
    if not len(ys):
        return 0, 0, 1, 1
    box = float(xs[0]), float(ys[0]), float(xs[-1]) + 1, float(ys[-1]) + 1
    left, top, right, bottom = bounding_box(apply_affine(matrix, corners_of(box, matrix.dtype)))
    (x0, x1), (y0, y1) = pixel_span(left, right, size[1], 2), pixel_span(top, bottom, size[0], 2)
    return x0, y0, x1, y1
