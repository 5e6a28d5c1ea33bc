"""Beard and moustache around a mouth, told from skin by colour: hair has less colour, or is much darker."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window, bounding_box, window_of
from ..detectors.parser_builtin import Parse
from ..detectors.parts import Face
from ..detectors.regions import down, eye_distance
from .fade import fade_out
from .lab import to_lab
from .outline import outlines, signed_distance, smoothstep

# Mesh points on cheeks, nose and forehead, where no beard grows.
_SKIN = (50, 280, 101, 330, 118, 347, 117, 346, 9, 151, 4)
# Colour per lightness as a share of the skin's, and lightness as a share of it, below which hair begins; and the
# lengths of the ramps. A shadow keeps its colour per lightness.
_COLOUR, _COLOUR_RAMP = 0.75, 0.22
_DARK, _DARK_RAMP = 0.55, 0.2
# Least lightness by which colour is divided, and the chroma of skin below which a picture counts as black and white.
_LEAST_LIGHT, _NEUTRAL = 5.0, 4.0
# In eye distances: the length over which hair fades out, and those over which its area fades in beside nose and lips,
# and within the face oval.
_EDGE, _BESIDE, _WITHIN = 0.04, 0.02, 0.06
# Mesh points around the upper lip and the lower one; of the former, those along its upper edge, from corner to corner.
_UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78)
_LOWER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95, 78)
_UPPER_EDGE = _UPPER_LIP[2:9]
# A moustache is looked for between these distances above that edge, in eye distances.
_ABOVE = (0.02, 0.11)
# Added, in steps of L, a and b, to what the upper lip differs by from it, before that is compared with what it differs
# by from the lower lip.
_NOISE = 3.0
# Samples along the longer side of a window at which the distance to an outline is computed.
_FINEST = 128


def facial_hair(parse: Parse, face: Face) -> Tensor:
    """(h, w), 0..1, on the parser's grid: 1 on hair around the mouth, with a soft edge that leaves nose and lips free.

    0 without a mesh, and in black and white.
    """
    picture = functional.avg_pool2d(parse.window, parse.step, ceil_mode=True, count_include_pad=False)
    height, width = picture.shape[1:]
    if not face.scheme.startswith("mediapipe") or not face.has("mouth"):
        return torch.zeros(height, width)
    cells = (face.landmarks[list(_SKIN)] - torch.tensor(parse.corner)) / parse.step
    skin = _colour_of_skin(picture.permute(1, 2, 0), cells)
    if skin is None or float(skin[1:].norm()) < _NEUTRAL:
        return torch.zeros(height, width)
    hair = _zone(parse, face, height, width)
    # Nothing grows beyond these rows and columns.
    sides = [torch.nonzero(hair.amax(axis)).flatten() for axis in (1, 0)]
    if not len(sides[0]):
        return hair
    rows, columns = (slice(int(side[0]), int(side[-1]) + 1) for side in sides)
    lab, zone = to_lab(picture[:, rows, columns].permute(1, 2, 0)), hair[rows, columns]
    pale, dark = _hair_of(lab, skin)
    soft = max(2, round(_EDGE * eye_distance(face) / parse.step))
    hair[rows, columns] = fade_out((torch.maximum(pale, dark) * zone)[None], soft)[0] * zone
    return hair


def moustache(picture: Tensor, face: Face) -> float:
    """The share of what lies above the upper lip that is hair, or as dark or pale as hair, 0..1.

    `picture`: (H, W, 3), 0..1. 0 without a mesh, and in black and white.
    """
    colours = _above_lip(picture, face)
    return 0.0 if colours is None else float(torch.maximum(*_hair_of(*colours)).gt(0.5).float().mean())


def lip_is_hidden(picture: Tensor, face: Face) -> bool:
    """Whether the upper lip has more of the colour of what lies above it than of the lower lip's.

    So it has under a moustache that hangs over it. `picture`: (H, W, 3), 0..1. False without a mesh, and in black and
    white.
    """
    colours = _above_lip(picture, face)
    upper, lower = (_inside(picture, face.landmarks[list(ring)]) for ring in (_UPPER_LIP, _LOWER_LIP))
    if colours is None or not len(upper) or not len(lower):
        return False
    lip, other_lip, hair = (own.median(0).values for own in (upper, lower, colours[0]))
    return bool((lip - other_lip).norm() > (lip - hair).norm() + _NOISE)


def _above_lip(picture: Tensor, face: Face) -> tuple[Tensor, Tensor] | None:
    """L, a, b (K, 3) of the pixels above the upper lip, and (3,) of the skin; None where either is not seen."""
    direction = down(face)
    if not face.scheme.startswith("mediapipe") or direction is None:
        return None
    skin = _colour_of_skin(picture, face.landmarks[list(_SKIN)])
    if skin is None or float(skin[1:].norm()) < _NEUTRAL:
        return None
    edge, unit = face.landmarks[list(_UPPER_EDGE)], eye_distance(face)
    near, far = (edge - direction * length * unit for length in _ABOVE)
    colours = _inside(picture, torch.cat([near, far.flip(0)]))
    return (colours, skin) if len(colours) else None


def _inside(picture: Tensor, ring: Tensor) -> Tensor:
    """L, a, b (K, 3) of the pixels inside a ring (N, 2)."""
    window = window_of(bounding_box(ring), (picture.shape[0], picture.shape[1]))
    if window is None:
        return torch.zeros(0, 3)
    x0, y0, x1, y1 = window
    return to_lab(picture[y0:y1, x0:x1])[signed_distance([ring], window) < 0]


def _hair_of(lab: Tensor, skin: Tensor) -> tuple[Tensor, Tensor]:
    """How far colours (..., 3) are paler, and how far darker, than skin (3,), 0..1 each."""
    colour = lab[..., 1:].norm(dim=-1) / lab[..., 0].clamp_min(_LEAST_LIGHT)
    pale = smoothstep((_COLOUR - colour / (skin[1:].norm() / skin[0])) / _COLOUR_RAMP)
    return pale, smoothstep((_DARK - lab[..., 0] / skin[0]) / _DARK_RAMP)


def _colour_of_skin(picture: Tensor, cells: Tensor) -> Tensor | None:
    """L, a, b (3,): the median at cells (N, 2), x and y, that lie on the grid (h, w, 3) RGB; None without one."""
    columns, rows = cells.long().unbind(-1)
    inside = (columns >= 0) & (rows >= 0) & (columns < picture.shape[1]) & (rows < picture.shape[0])
    if not bool(inside.any()):
        return None
    colour = to_lab(picture[rows[inside], columns[inside]]).median(0).values
    return colour if float(colour[0]) >= _LEAST_LIGHT else None


def _zone(parse: Parse, face: Face, height: int, width: int) -> Tensor:
    """(height, width), 0..1: where hair grows around a mouth: below the nose, within the oval, beside the lips."""
    unit, corner = eye_distance(face) / parse.step, torch.tensor(parse.corner)
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    direction = down(face)
    if direction is None or not face.has("nose"):
        return torch.zeros(height, width)
    # The lowest point of the nose.
    base = ((torch.cat(outlines(face, "nose")) - corner) / parse.step @ direction).amax()
    below = (columns * direction[0] + rows * direction[1] - base) / unit

    def distance(part: str, window: Window) -> Tensor:
        rings = [(ring - corner) / parse.step for ring in outlines(face, part)]
        return signed_distance(rings, window, _FINEST) / unit

    lips = bounding_box((torch.cat(outlines(face, "mouth")) - corner) / parse.step)
    x0, y0, x1, y1 = window = window_of(lips, (height, width), _BESIDE * unit + 1) or (0, 0, 1, 1)
    beside = torch.ones(height, width)
    beside[y0:y1, x0:x1] = smoothstep(distance("mouth", window) / _BESIDE)
    return smoothstep(below / _BESIDE) * smoothstep(-distance("skin", (0, 0, width, height)) / _WITHIN) * beside
