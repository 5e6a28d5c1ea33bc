"""A whole face given by a generator: cut out, changed, and laid back under hair, spectacles and hands, in its light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..detectors.boxes import Window, bounding_box, window_of
from ..detectors.parts import Face, PartMissing
from ..detectors.regions import down, eye_distance
from ..detectors.schemes import five_points
from .area import features_mask
from .cover import Cover
from .lab import to_lab, to_rgb
from .light import meet, read_light, relight
from .masks import part_mask
from .monochrome import into_tone, tone_of
from .outline import hull_around, outlines, signed_distance, smoothstep
from .sharpness import in_sharpness_of
from .similarity import fit_similarity, invert_affine
from .warp import warp_window

# A crop (s, s, 3), 0..1, and an identity (n,) -> the crop with that person's face.
Generator = Callable[[Tensor, Tensor], Tensor]

AREAS = ("whole face", "upper half", "lower half", "parts")
PARTS = ("eyes", "brows", "nose", "mouth")
# Lengths in eye distances. The change fades out over `_FEATHER` inside the face's outline, so that jaw and hairline
# stay the target's, and as far over the middle of a face of which one half changes.
_FEATHER = 0.14
# How far around a part the skin changes with it; and the margin around the face that is computed, in which nothing
# changes, so that blurs end where nothing counts.
_GROW, _AROUND = 0.1, 0.05
# Shares of the new face below this one count as nothing: what rounding leaves of 1 where a cover lies.
_NOTHING = 2e-6


class Swap(NamedTuple):
    """`picture`: (H, W, 3) float32, 0..1. `changed`: (H, W), 0..1; where it is 0 the picture is as it was, bit for bit.

    `crop`: (s, s, 3), what the generator made of the face.
    """

    picture: Tensor
    changed: Tensor
    crop: Tensor


class FacePatch(NamedTuple):
    """A new face before it is laid into its picture.

    `window`: x0, y0, x1, y1 in pixels of the picture; None for a face outside it.
    `pixels`: (h, w, 3), 0..1, of the window. `changed`: (h, w), 0..1, where they differ from the picture's.
    `crop`: (s, s, 3), what the generator made of the face.
    """

    window: Window | None
    pixels: Tensor
    changed: Tensor
    crop: Tensor

    def lay(self, picture: Tensor, changed: Tensor) -> None:
        """Writes the face into `picture` (H, W, 3), and into `changed` (H, W) where it did; both are altered."""
        if self.window is not None:
            x0, y0, x1, y1 = self.window
            picture[y0:y1, x0:x1] = self.pixels
            changed[y0:y1, x0:x1] = torch.maximum(changed[y0:y1, x0:x1], self.changed)


def swap_face(
    picture: Tensor, face: Face, generate: Generator, identity: Tensor, template: Tensor, size: int, **options: Any
) -> Swap:
    """The picture with `identity` in the place of one face. Arguments and errors as in `face_patch`."""
    patch = face_patch(picture, face, generate, identity, template, size, **options)
    result, changed = picture.clone(), torch.zeros(picture.shape[:2])
    patch.lay(result, changed)
    return Swap(result, changed, patch.crop)


def face_patch(
    picture: Tensor, face: Face, generate: Generator, identity: Tensor, template: Tensor, size: int, *,
    area: str = AREAS[0], parts: Sequence[str] = (), tone: float = 1.0, light: float = 1.0, sharpness: bool = True,
    amount: float = 1.0, cover: Cover | None = None, mask: Tensor | None = None,
) -> FacePatch:  # fmt: skip
    """`identity` in the place of one face of a picture.

    `picture`: (H, W, 3) float32, 0..1.
    `face`: one of its faces, with landmarks and the outline of its skin.
    `generate`, `identity`: what makes the new face, and of whom.
    `template`: (5, 2), where eyes, nose tip and mouth corners lie in the generator's crop, in pixels.
    `size`: side of that crop in pixels.
    `area`: of AREAS; what may change. `parts`: of PARTS, for the area "parts".
    `tone`, `light`: 0..1, how far skin tone, and the way in which light falls, are matched to the target's.
    `sharpness`: whether sharpness and grain are matched to the target's; a face that is restored keeps its own.
    `amount`: 0..1, how far the new face shows over the target's.
    `cover`: what lies over the face and stays; None: nothing.
    `mask`: (H, W), 0..1, 1 = the picture may change there; None: everywhere.

    Raises ValueError for an unknown area or part and a generator's result of another shape; PartMissing for a face
    without landmarks, or without the outline that is needed.
    """
    matrix = face_matrix(face, template)
    crop, _ = warp_window(picture, matrix, (0, 0, size, size))
    made = generate(crop.clamp(0, 1), identity)
    if made.ndim != 3 or made.shape[0] != made.shape[1] or made.shape[2] != 3:
        raise ValueError(f"the generator gave a crop of shape {tuple(made.shape)}; needed is ({size}, {size}, 3)")
    window = window_of(bounding_box(_oval(face)), (picture.shape[0], picture.shape[1]), _AROUND * eye_distance(face))
    if window is None:
        return FacePatch(None, torch.zeros(0, 0, 3), torch.zeros(0, 0), made)
    x0, y0, x1, y1 = window
    back = invert_affine(matrix * (made.shape[0] / size))
    pixels, inside = warp_window(made, back, window)
    distance = signed_distance([_oval(face)], window) / eye_distance(face)
    alpha = _may_change(face, window, (picture.shape[0], picture.shape[1]), distance, area, parts) * inside
    visible = torch.ones(alpha.shape) if cover is None else 1 - cover.on_target("skin", window)
    alpha = alpha * visible * (1.0 if mask is None else mask[y0:y1, x0:x1])
    alpha = torch.where(alpha < _NOTHING, 0.0, alpha)
    local = picture[y0:y1, x0:x1]
    target, new = to_lab(local), to_lab(pixels.clamp(0, 1))
    new = _in_its_light(new, target, face, window, distance, alpha, visible * inside, tone, light, sharpness)
    # Every second pixel tells whether a photograph is black and white.
    colours = tone_of(local[::2, ::2])
    if colours is not None:
        new = into_tone(new, colours, tone)
    # How far it shows is no edge at which it has to meet the target.
    alpha = alpha * amount
    blended = to_rgb(torch.lerp(target, new, alpha[..., None]))
    return FacePatch(window, torch.where((alpha > 0)[..., None], blended, local), alpha, made)


def face_matrix(face: Face, template: Tensor) -> Tensor:
    """(2, 3) float64, pixels of the picture -> pixels of a crop where the five points lie on `template` (5, 2).

    Raises PartMissing for a face without landmarks.
    """
    if not face.scheme:
        raise PartMissing(
            "a face swap needs eyes, nose and mouth to align by, and this face came from a box or a mask without "
            "landmarks; detect it with 'built-in'"
        )
    return fit_similarity(five_points(face.landmarks, face.scheme), template, steps=0)


def aligned_crop(picture: Tensor, face: Face, template: Tensor, size: int) -> Tensor:
    """(size, size, 3), 0..1: the face with its five points on `template` (5, 2). Raises as `face_matrix` does."""
    return warp_window(picture, face_matrix(face, template), (0, 0, size, size))[0].clamp(0, 1)


def _oval(face: Face) -> Tensor:
    """(N, 2): the hull of the face's skin, in pixels."""
    return hull_around(torch.cat(outlines(face, "skin")))


def _may_change(
    face: Face, window: Window, size: tuple[int, int], distance: Tensor, area: str, parts: Sequence[str]
) -> Tensor:
    """(h, w), 0..1, over the window: 1 where the face may change.

    `distance`: (h, w), from the outline of the face's skin in eye distances, negative inside.
    """
    unit = eye_distance(face)
    oval = smoothstep(-distance / _FEATHER)
    if area == "whole face":
        return oval
    if area == "parts":
        unknown = [part for part in parts if part not in PARTS]
        if unknown or not parts:
            raise ValueError(f"parts are {', '.join(parts) or 'none'}; name at least one of {', '.join(PARTS)}")
        x0, y0, x1, y1 = window
        grown = part_mask(face, parts, size, grow=_GROW * unit, feather=_FEATHER * unit)
        return oval * smoothstep(grown[y0:y1, x0:x1])
    if area not in AREAS:
        raise ValueError(f"area is '{area}'; choose one of {', '.join(AREAS)}")
    below = smoothstep(0.5 + _below_middle(face, window) / (2 * _FEATHER * unit))
    return oval * (below if area == "lower half" else 1 - below)


def _below_middle(face: Face, window: Window) -> Tensor:
    """(h, w): pixels below the middle between eyes and nose tip, along the face; negative above."""
    points = five_points(face.landmarks, face.scheme)
    eyes, tip, mouth = points[:2].mean(0), points[2], points[3:].mean(0)
    along = down(face)
    along = (mouth - eyes) / (mouth - eyes).norm().clamp_min(1e-6) if along is None else along
    x0, y0, x1, y1 = window
    rows, columns = torch.meshgrid(torch.arange(y0, y1) + 0.5, torch.arange(x0, x1) + 0.5, indexing="ij")
    return (torch.stack([columns, rows], -1) - (eyes + tip) / 2) @ along


def _in_its_light(
    new: Tensor, target: Tensor, face: Face, window: Window, distance: Tensor, alpha: Tensor, visible: Tensor,
    tone: float, light: float, sharpness: bool,
) -> Tensor:  # fmt: skip
    """`new` (h, w, 3) L, a, b in the light of `target`, and meeting it at the edge.

    `sharpness`: whether in its sharpness and grain, too.
    `visible`: (h, w), 0..1, 1 where both show the face.
    """
    unit = eye_distance(face)
    bare = 1 - features_mask(face, window)
    skin = smoothstep(-distance / _FEATHER) * bare * visible
    # From where the change fades out, the light is matched as finely as beyond the face.
    broad = read_light(target, new, skin, distance + _FEATHER, unit, bare=True)
    new = relight(new, broad, tone, light, bare, bare=True)
    if sharpness:
        new, _ = in_sharpness_of(target, new, skin)
    return meet(new, target, alpha, unit)
