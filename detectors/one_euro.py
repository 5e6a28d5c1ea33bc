"""Landmarks of one face over the frames of a film, steadied by the 1 euro filter (Casiez, Roussel, Vogel, 2012).

The filter averages over many frames while something rests and over few while it moves, so that a resting face does not
tremble and a moving one does not lag behind. A face is taken apart into the pose of the head and the shape in it: a
head moves all the time, and its shape changes little but for blinks and speech.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from .boxes import bounding_box
from .meshes import LEFT_EYE, RIGHT_EYE
from .parts import Face
from .pose import angles_of

# Cutoff in cycles per frame while the face rests, at strength 0 and as a factor at strength 1: over less than 2 frames,
# and over about 10.
_CUTOFF, _STRONGEST = 0.3, 0.05
# Cycles per frame added for each face size per frame of speed. A nod keeps up within a hundredth of a face size.
_POSE_SLOPE, _SHAPE_SLOPE = 25.0, 8.0
# Cutoff of the speed itself, in cycles per frame.
_SPEED_CUTOFF = 0.12


class OneEuro:
    """Steadies a sequence of tensors of one shape; each last dimension moves as one."""

    def __init__(self, cutoff: float, slope: float) -> None:
        """`cutoff`: cycles per frame at rest. `slope`: cycles per frame added for each unit per frame of speed."""
        self._cutoff, self._slope = cutoff, slope
        self._value: Tensor | None = None
        self._speed = torch.zeros(())

    def __call__(self, value: Tensor) -> Tensor:
        """The next one, steadied."""
        if self._value is None:
            self._value, self._speed = value, torch.zeros_like(value)
            return value
        step = value - self._value
        self._speed = torch.lerp(self._speed, step, _share(torch.tensor(_SPEED_CUTOFF)))
        speed = self._speed.norm(dim=-1, keepdim=True)
        self._value = self._value + _share(self._cutoff + self._slope * speed) * step
        return self._value


class SteadyFace:
    """Steadies the landmarks of one face, frame by frame."""

    def __init__(self, strength: float) -> None:
        """`strength`: 0..1; 0 leaves every face as it is."""
        self._strength = strength
        cutoff = _CUTOFF * _STRONGEST**strength
        self._place, self._size, self._turn = (OneEuro(cutoff, _POSE_SLOPE) for _ in range(3))
        self._shape = OneEuro(cutoff, _SHAPE_SLOPE)
        self._angle, self._way = 0.0, torch.zeros(2)
        self._last: Tensor | None = None

    def __call__(self, face: Face) -> Face:
        """The face of the next frame, a mesh with depth; its regions are left empty."""
        if self._strength == 0 or face.depth is None:
            return face
        points = torch.cat([face.landmarks, face.depth[:, None]], 1)
        middle, size, angle = _pose(points)
        shape = (points - middle) @ _roll(-angle) / size
        # The steps of the head are in sizes of its own, and an angle does not jump where a circle ends.
        if self._last is not None:
            self._way = self._way + (middle[:2] - self._last) / size
        self._last = middle[:2]
        self._angle += math.remainder(angle - self._angle, 2 * math.pi)
        way = self._place(self._way)
        steady_size = float(self._size(torch.tensor([math.log(size)])).exp())
        steady_angle = float(self._turn(torch.tensor([self._angle])))
        place = middle + torch.cat([(way - self._way) * size, torch.zeros(1)])
        mesh = self._shape(shape) @ _roll(steady_angle) * steady_size + place
        flat = mesh[:, :2].contiguous()
        return replace(
            face, box=bounding_box(flat), landmarks=flat, depth=mesh[:, 2].contiguous(), angles=angles_of(mesh),
            regions={},
        )  # fmt: skip


def _share(cutoff: Tensor) -> Tensor:
    """The share of a new value that a low-pass of this cutoff, in cycles per frame, takes over."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff))


def _pose(points: Tensor) -> tuple[Tensor, float, float]:
    """The middle (3,) of a mesh (N, 3), its size in pixels and the angle of the line of its eyes in radians."""
    middle = points.mean(0)
    across = points[RIGHT_EYE, :2] - points[LEFT_EYE, :2]
    size = 2 * float((points[:, :2] - middle[:2]).square().sum(1).mean().sqrt().clamp_min(1e-3))
    return middle, size, math.atan2(float(across[1]), float(across[0]))


def _roll(angle: float) -> Tensor:
    """(3, 3): what turns row vectors x, y, z clockwise in the picture by `angle` radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
