"""Reenactment: one person's face with another's pose and expression, in any way that keeps to `Reenactment`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ...detectors.parts import Face
from ...fusion.face_swap import aligned_crop, face_matrix
from ...fusion.placement import RIGID, rigid_motion
from ...fusion.similarity import fit_similarity, invert_affine
from ...fusion.thin_plate import thin_plate
from ...fusion.warp import warp_window
from ...injection.reliable_swap.file import read_swapper
from ...injection.reliable_swap.onnx_swapper import read_onnx_swapper
from ...injection.reliable_swap.swapper import Swapper
from ..shards.person import Person, mesh_face

# Mesh points of the face's outline from the temples to the corners of the jaw, which no expression moves.
_SIDES = (127, 234, 93, 132, 58, 172, 356, 454, 323, 361, 288, 397)
# How loosely the target's mesh is bent to the source's proportions: tighter would carry the expression along.
_LOOSE = 0.05
_MESH_POINTS = 468


@dataclass(frozen=True, eq=False)
class Reenacted:
    """`picture`: (S, S, 3) float32, 0..1. `face`: the face in it, in its pixels."""

    picture: Tensor
    face: Face


class Reenactment(Protocol):
    """`name`: for the manifest; two ways that give other pictures have other names."""

    name: str

    def __call__(self, source: Person, target: Person) -> Reenacted:
        """The source's face, in the place, pose and expression of the target's; what lies around it may be anything."""


class MeshReenactment:
    """The source's picture warped so that its mesh lies over the target's; nothing to download."""

    def __init__(self, shape: float = 0.5) -> None:
        """`shape`: 0..1, how far the face's proportions are the source's rather than the target's."""
        self.shape, self.name = shape, f"mesh warp, shape {shape:g}"

    def __call__(self, source: Person, target: Person) -> Reenacted:
        place = torch.lerp(_points(target.face), in_proportion(source.face, target.face), self.shape)
        points = _points(source.face)
        size = source.picture.shape[0]
        matrix = fit_similarity(points, place)
        picture, _ = warp_window(source.picture, matrix, (0, 0, size, size), (points, place))
        # The irises go where the warp takes them; nothing reads them afterwards.
        irises = target.face.landmarks[_MESH_POINTS:]
        face = mesh_face(torch.cat([place, irises]), target.face.depth, target.face.angles, source.face.score)
        return Reenacted(picture.clamp(0, 1), face)


class SwapReenactment:
    """The target's picture with the source's identity by a published face swapper."""

    def __init__(self, swapper: Swapper) -> None:
        self._swapper, self.name = swapper, f"{swapper.name} ({swapper.provider})"

    def __call__(self, source: Person, target: Person) -> Reenacted:
        read, write = self._swapper.source, self._swapper.target
        face = aligned_crop(source.picture, source.face, torch.tensor(read.points), read.size)
        identity = self._swapper.identify(face[None])[0]
        template = torch.tensor(write.points)
        made = self._swapper.swap(aligned_crop(target.picture, target.face, template, write.size), identity)
        back = invert_affine(face_matrix(target.face, template) * (made.shape[0] / write.size))
        size = target.picture.shape[0]
        picture, inside = warp_window(made, back, (0, 0, size, size))
        return Reenacted(torch.lerp(target.picture, picture.clamp(0, 1), inside[..., None]), target.face)


def load_reenactment(
    generator: Path | None, recogniser: Path | None, fixer: Path | None, shape: float
) -> Reenactment:  # fmt: skip
    """The mesh warp without a `generator`; else the face swapper in that file. Raises ValueError as its reader does."""
    if generator is None:
        return MeshReenactment(shape)
    if generator.suffix.lower() == ".onnx":
        return SwapReenactment(read_onnx_swapper(generator, recogniser))
    return SwapReenactment(read_swapper(generator, recogniser, fixer))


def in_proportion(source: Face, target: Face) -> Tensor:
    """(468, 2): the target's mesh, with its pose and expression, in the proportions of the source's.

    The source's mesh is turned like the target's head. What it then differs by in the points that expressions do not
    move bends the target's whole mesh.
    """
    rigid = list(RIGID)
    own, aim = _solid(source), _solid(target)
    scale, turn, shift = rigid_motion(own[rigid], aim[rigid])
    turned = (scale * own @ turn.T + shift)[:, :2]
    still = sorted({*rigid, *_SIDES})
    return thin_plate(aim[still, :2], turned[still], _LOOSE)(aim[:, :2]).float()


def _points(face: Face) -> Tensor:
    return face.landmarks[:_MESH_POINTS]


def _solid(face: Face) -> Tensor:
    """(468, 3) float64."""
    if face.depth is None:
        raise ValueError("a mesh warp needs the depth of the landmarks; detect the face with 'built-in'")
    return torch.cat([face.landmarks, face.depth[:, None]], 1)[:_MESH_POINTS].double()
