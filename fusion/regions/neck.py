"""Where a head sits on its neck, and the similarity that puts it on another's.

HS-Diffusion aligns necks by a rule that is not published. This one is ours: the head is turned like the body's own and
scaled by the size of the faces; with "neck" the widths of the necks have a say, and the middles of the necks meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import Face
from ...detectors.regions import eye_distance
from ...detectors.schemes import anchors
from ..similarity import apply_affine, scale_of
from .layout import HAIR, NECK

FITS = ("neck", "face size", "as it is")
# Where the neck is looked for, in eye distances: aside of the chin, and from where to where below it. Beside a chin
# the neck is visible on both sides, and collars leave no more than that.
_ASIDE, _FROM, _TO = 1.6, -0.3, 1.1
# Samples across and along that window.
_ACROSS, _ALONG = 96, 48
# Share of the window's half width from which on a neck counts as visible on a side.
_BESIDE = 0.2
# Rows of the window that must show both sides of the neck.
_LEAST_ROWS = 3
# How far a chin swings away from the middle of its neck, in eye distances per degree of yaw; of 35 portraits.
_SWING = -0.014
# Shortest distance from chin to collar, in eye distances.
_LEAST_BASE = 0.15
# Width of a neck in eye distances where it cannot be seen; portraits have 1.1 to 1.6.
USUAL_WIDTH = 1.32
_WIDTHS = (0.9, 2.0)
# How far the widths of the necks may change the size of a head that fits by its face.
_LEAST_CHANGE, _MOST_CHANGE = 0.92, 1.1
# Degrees between two heads' directions from which the report says so, and from which it will not look right.
TURNED, TOO_FAR = 15.0, 30.0
# How far the middles of the necks, and not the chins, decide where a head comes to lie across.
_NECK_SHARE = 0.7
# Factor between the widths of two necks from which the report says so.
_OTHER_WIDTH = 1.33
# A head enlarged beyond this is blurred beside the body.
_ENLARGED = 1.5


@dataclass(frozen=True, eq=False)
class Neck:
    """Where one head sits.

    `eyes`, `chin`: (2,) pixels. `unit`: eye distance in pixels, `size`: of the face, in pixels, whatever its turn.
    `down`: (2,), unit vector from the forehead to the chin. `middle`: (2,), the middle of the neck below the chin.
    `width`: pixels of the neck, across; None where a side is covered. `base`: pixels from the chin to where the neck
    ends, along `down`. `angles`: yaw, pitch, roll in degrees, None where unknown.
    """

    eyes: Tensor
    chin: Tensor
    unit: float
    size: float
    down: Tensor
    middle: Tensor
    width: float | None
    base: float
    angles: tuple[float, float, float] | None


@dataclass(frozen=True)
class ByHand:
    """Changes on top of the fit: shifts in the body's eye distances, a factor on the size, degrees clockwise.

    Raises ValueError for one that is not finite.
    """

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("offset_x", self.x), ("offset_y", self.y), ("scale", self.scale), ("angle", self.angle)):
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}; it must be a number, and the default changes nothing")


def neck_of(face: Face, layout: Tensor) -> Neck:
    """`layout`: (5, H, W) of the face's picture."""
    eyes, chin = _eyes_and_chin(face)
    unit = eye_distance(face)
    down = chin - eyes
    down = down / down.norm().clamp_min(1e-6)
    if face.scheme:
        # The chin swings with the jaw and the turn of the head; the line of the eyes does not.
        named = anchors(face.landmarks, face.scheme)
        across = named["right_eye"] - named["left_eye"]
        down = torch.stack([-across[1], across[0]]) / across.norm().clamp_min(1e-6)
    across = torch.stack([down[1], -down[0]])
    xs = torch.linspace(-_ASIDE, _ASIDE, _ACROSS) * unit
    ys = torch.linspace(_FROM, _TO, _ALONG) * unit
    spots = chin + xs[None, :, None] * across + ys[:, None, None] * down
    size = torch.tensor([layout.shape[2], layout.shape[1]])
    seen = functional.grid_sample(layout[None], (spots / size * 2 - 1)[None], align_corners=False)[0]
    middle, width, rows = _measured(seen[NECK] > 0.5, seen[HAIR] > 0.4, xs)
    base = max(float(ys[rows - 1]), _LEAST_BASE * unit) if rows else 0.5 * unit
    if width is not None and not _WIDTHS[0] * unit <= width <= _WIDTHS[1] * unit:
        width = None
    if middle is None:
        middle = _SWING * (face.angles[0] if face.angles is not None else 0.0) * unit
    centre = chin + middle * across + base / 2 * down
    return Neck(eyes, chin, unit, _face_size(face, unit), down, centre, width, base, face.angles)


def fit_head(head: Neck, body: Neck, fit: str = "neck", by_hand: ByHand | None = None) -> Tensor:
    """The similarity (2, 3) float64: pixels of the head's picture -> pixels of the body's.

    `fit`: of FITS. "neck": by the size of the faces and the width of the necks, middle of neck upon middle of neck,
    eyes and chin at the body's level. "face size": by the faces alone, face upon face. "as it is": neither scaled nor
    turned.

    Raises ValueError for another fit and a scale that is not above 0.
    """
    hand = by_hand or ByHand()
    if fit not in FITS:
        raise ValueError(f"fit is '{fit}'; choose one of {', '.join(FITS)}")
    if not hand.scale > 0:
        raise ValueError(f"scale is {hand.scale}; it must be above 0, and 1 leaves the size as it is fitted")
    scale = 1.0 if fit == "as it is" else body.size / head.size
    if fit == "neck" and head.width and body.width:
        ratio = body.width / (scale * head.width)
        scale *= min(max(math.sqrt(ratio), _LEAST_CHANGE), _MOST_CHANGE)
    angle = 0.0 if fit == "as it is" else _angle(body.down) - _angle(head.down)
    scale, angle = scale * hand.scale, angle + math.radians(hand.angle)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    own, goal = _resting_point(head, fit), _resting_point(body, fit)
    goal = goal + torch.tensor([hand.x, hand.y]) * body.unit
    return torch.cat([linear, (goal.double() - linear @ own.double())[:, None]], 1)


def moved_neck(neck: Neck, matrix: Tensor) -> Neck:
    """The same in another picture; `matrix`: (2, 3), pixels of its picture -> pixels of the other."""
    scale = scale_of(matrix)
    return replace(
        neck,
        eyes=apply_affine(matrix, neck.eyes),
        chin=apply_affine(matrix, neck.chin),
        middle=apply_affine(matrix, neck.middle),
        unit=neck.unit * scale,
        size=neck.size * scale,
        down=((matrix[:, :2] / scale) @ neck.down.to(matrix.dtype)).to(neck.down.dtype),
        width=None if neck.width is None else neck.width * scale,
        base=neck.base * scale,
    )


def neck_report(head: Neck, body: Neck, matrix: Tensor) -> list[str]:
    """What does not suit in the two photographs, in sentences."""
    lines = []
    if head.angles is not None and body.angles is not None:
        for i, name in enumerate(("sideways", "up or down")):
            turn = abs(head.angles[i] - body.angles[i])
            if turn >= TURNED:
                lines.append(
                    f"the heads look in directions that differ by {turn:.0f} degrees {name}; "
                    + ("this will not look right" if turn >= TOO_FAR else "look at the neck")
                    + (f", choose photographs that differ by less than {TURNED:.0f}" if turn >= TOO_FAR else "")
                )
    scale = scale_of(matrix)
    if scale > _ENLARGED:
        lines.append(f"the head is enlarged {scale:.1f} times and will look blurred; use a larger photograph of it")
    if head.width and body.width and not 1 / _OTHER_WIDTH <= scale * head.width / body.width <= _OTHER_WIDTH:
        lines.append(
            f"the head's neck is {scale * head.width / body.width:.2f} times as wide as the body's; "
            "set scale or fit if the head looks too large or too small"
        )
    return lines


def _resting_point(neck: Neck, fit: str) -> Tensor:
    """The point of a head that comes to lie upon the other's: across, its neck and chin; along, its eyes and chin."""
    across = torch.stack([neck.down[1], -neck.down[0]])
    level = (neck.eyes + neck.chin) / 2
    if fit == "face size":
        return level
    aside = float((neck.middle - neck.chin) @ across) * _NECK_SHARE
    return neck.chin + aside * across + float((level - neck.chin) @ neck.down) * neck.down


def _eyes_and_chin(face: Face) -> tuple[Tensor, Tensor]:
    named = anchors(face.landmarks, face.scheme) if face.scheme else {}
    if "chin" in named:
        return (named["left_eye"] + named["right_eye"]) / 2, named["chin"]
    if named:
        eyes = (named["left_eye"] + named["right_eye"]) / 2
        mouth = (named["mouth_left"] + named["mouth_right"]) / 2
        # A chin lies as far below the mouth as three quarters of the way from the eyes to it.
        return eyes, mouth + 0.75 * (mouth - eyes)
    x0, y0, x1, y1 = face.box
    return torch.tensor([(x0 + x1) / 2, y0 + 0.35 * (y1 - y0)]), torch.tensor([(x0 + x1) / 2, y1])


def _face_size(face: Face, unit: float) -> float:
    """Pixels; of a mesh with depth the spread of its points in space, which does not change as the head turns."""
    if face.depth is None or len(face.landmarks) < 468:
        return unit
    points = torch.cat([face.landmarks[:468], face.depth[:468, None]], 1)
    return float((points - points.mean(0)).square().sum(1).mean().sqrt())


def _measured(neck: Tensor, hair: Tensor, xs: Tensor) -> tuple[float | None, float | None, int]:
    """Middle and width of the neck across, and how many of the rows reach down to its end.

    `neck`, `hair`: (rows, columns) bool; hair may cover a side. `xs`: (columns,) in pixels.
    """
    spans, rows, columns = [], 0, len(xs)
    for row in range(len(neck)):
        across = torch.nonzero(neck[row]).flatten()
        if len(across) < columns // 32:
            continue
        rows = row + 1
        first, last = int(across[0]), int(across[-1])
        beside = hair[row, [max(0, first - 2), min(columns - 1, last + 2)]]
        both_sides = xs[first] < -_BESIDE * xs[-1] and xs[last] > _BESIDE * xs[-1]
        if both_sides and first > 1 and last < columns - 2 and not bool(beside.any()):
            spans.append((float(xs[last] - xs[first]), float(xs[first] + xs[last]) / 2))
    if len(spans) < _LEAST_ROWS:
        return None, None, rows
    # Beside the chin and in the opening of a collar less than all of the neck is visible.
    widest = sorted(spans)[-max(_LEAST_ROWS, len(spans) // 3) :]
    width, middle = torch.tensor(widest).median(0).values.tolist()
    return middle, width, rows


def _angle(down: Tensor) -> float:
    return math.atan2(float(down[1]), float(down[0]))
