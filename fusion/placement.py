"""Where a reference's part goes in the target: at the target's place, size, tilt and, with a mesh, turn of the head."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Tensor

from ..detectors.boxes import Window
from ..detectors.parts import Face
from ..detectors.regions import eye_distance
from .correspondence import part_indices, shared_points
from .outline import smoothstep
from .similarity import apply_affine, fit_similarity, scale_of
from .thin_plate import thin_plate
from .warp import SLACK, points_in_picture

# Mesh points that a smile, a frown or an open mouth moves least, over the depth of the whole face.
RIGID = (
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 9, 8, 151, 10, 127, 356, 234, 454, 93, 323, 116, 345,
    50, 280, 122, 351, 55, 285, 193, 417,
)  # fmt: skip
# Irises follow the gaze, so they are no part of the head.
_MESH_POINTS = 468
# Degrees between two heads below which their turn is not followed, as meshes err by about as much, and from which it
# is followed wholly.
SAME_TURN, _OTHER_TURN = 18.0, 30.0
# Knots of a warp at most, and eye distances around the part from which they are taken.
_KNOTS, _AROUND = 90, 0.7
# Share of a part's size over which its foreshortening is read.
_STEP = 0.1
# Points up to which a part is laid by a similarity alone.
FEW = 4
# Parts whose size follows the face rather than their own outline, by this share: a smile is wide, not large.
_FACE_SIZE = {"mouth": 0.25}


@dataclass(frozen=True, eq=False)
class Placement:
    """How the reference's picture is laid over the target's.

    `matrix`: (2, 3), the similarity that comes nearest: pixels of the reference -> pixels of the target.
    `source`, `place`: (K, 2) points on the reference and where each of them goes in the target.
    `own`: (K, 2), the target's own points of the same numbers.
    `turn`: degrees between the directions in which the two heads look, None where unknown.
    `scale`: of the whole head, pixels of the target per pixel of the reference, however either is turned; 0: unknown.
    """

    matrix: Tensor
    source: Tensor
    place: Tensor
    own: Tensor
    turn: float | None
    scale: float = 0.0

    @property
    def bend(self) -> tuple[Tensor, Tensor] | None:
        """The points for `warp.warp_window`; None where the similarity says it all."""
        return (self.source, self.place) if len(self.source) > FEW else None

    def at_share(self, share: float) -> Placement:
        """With the part's shape and place this share, 0..1, of the way from the target's own to the reference's."""
        place = torch.lerp(self.own, self.place, share)
        return replace(self, place=place, matrix=fit_similarity(self.source, place))

    def moved(self, rings: Sequence[Tensor]) -> list[Tensor]:
        """Outlines (N, 2) of the reference at their place in the target."""
        if not rings:
            return []
        points = torch.cat(list(rings))
        placed = apply_affine(self.matrix, points) if self.bend is None else self._spline(points).to(points.dtype)
        return list(placed.split([len(ring) for ring in rings]))

    def foreshortening(self, points: Tensor) -> float:
        """The length at which the reference shows what is long 1 in the target, around points (N, 2) of the target.

        1 where both see the face from the same side, 0 where the reference sees it from its edge; the median of the
        points. 1 where unknown.
        """
        if not self.scale or self.bend is None:
            return 1.0
        back = thin_plate(self.place, self.source, SLACK)
        step = _STEP * float((points.amax(0) - points.amin(0)).max())
        steps = step * torch.eye(2, dtype=points.dtype)
        changes = [(back(points + one) - back(points - one)) / (2 * step) for one in steps]
        return float(torch.linalg.svdvals(torch.stack(changes, -1))[:, 1].median()) * self.scale

    @cached_property
    def points_on_reference(self) -> Callable[[Window], Tensor]:
        """A window of the target -> (2, h, w), x and y of the reference's point that is laid on each of its pixels.

        Kept, as the picture, its mask and its covers are laid alike.
        """
        # Without `self` in it, or a cycle would hold the maps.
        matrix, bend = self.matrix, self.bend
        return cache(lambda window: points_in_picture(matrix, window, bend))

    @cached_property
    def _spline(self) -> Callable[[Tensor], Tensor]:
        return thin_plate(self.source, self.place, SLACK)


def place_part(part: str, target: Face, reference: Face, follow: bool) -> Placement:
    """Where `part` of `reference` goes in `target`.

    `follow`: whether the part's landmarks go exactly to the target's, instead of keeping the part's own shape.

    Raises PartMissing when a face does not have the part.
    """
    source, own = shared_points(reference, target, part)
    meshes = target.scheme == reference.scheme and target.scheme.startswith("mediapipe")
    if not meshes or not part_indices(target.scheme, part):
        matrix = fit_similarity(source, own)
        return Placement(matrix, source, own if follow else apply_affine(matrix, source), own, None)
    indices = torch.tensor(part_indices(target.scheme, part))
    points, goal = reference.landmarks[:_MESH_POINTS], target.landmarks[:_MESH_POINTS]
    turned, turn, scale = _turned(reference, target)
    fit = _fitted(part, turned[indices], goal[indices], turned, goal)
    placed = goal if follow else apply_affine(fit, turned)
    matrix = fit_similarity(points[indices], placed[indices])
    middle, reach = placed[indices].mean(0), _AROUND * eye_distance(target)
    near = torch.nonzero((placed - middle).norm(dim=1) < reach + (placed[indices] - middle).norm(dim=1).max())[:, 0]
    near = torch.cat([indices, near[~torch.isin(near, indices)][:: max(1, len(near) // _KNOTS)]])
    return Placement(matrix, points[near], placed[near], goal[near], turn, scale)


def _turned(reference: Face, target: Face) -> tuple[Tensor, float | None, float]:
    """The reference's mesh (468, 2) as it would lie in the target's picture if its head were turned like the target's.

    The angle between the two directions in degrees, and the scale of the head; None and 0 where the depth is unknown.
    """
    points, goal = reference.landmarks[:_MESH_POINTS], target.landmarks[:_MESH_POINTS]
    rigid = list(RIGID)
    flat = apply_affine(fit_similarity(points[rigid], goal[rigid]), points)
    if reference.depth is None or target.depth is None:
        return flat, None, 0.0
    source = torch.cat([points, reference.depth[:_MESH_POINTS, None]], 1).double()
    aim = torch.cat([goal, target.depth[:_MESH_POINTS, None]], 1).double()
    scale, turn, shift = rigid_motion(source[rigid], aim[rigid])
    # How far the viewing axis is turned; a roll in the picture leaves it where it is.
    angle = math.degrees(math.acos(max(-1.0, min(1.0, float(turn[2, 2])))))
    turned = (scale * source @ turn.T + shift)[:, :2].float()
    share = smoothstep(torch.tensor((angle - SAME_TURN) / (_OTHER_TURN - SAME_TURN)))
    return torch.lerp(flat, turned, share), angle, float(scale)


def rigid_motion(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale, rotation (3, 3) and shift (3,) that take `source` to `target`, (K, 3) each (Umeyama, 1991)."""
    middle, aim = source.mean(0), target.mean(0)
    u, sizes, vt = torch.linalg.svd((target - aim).T @ (source - middle))
    signs = torch.ones(3, dtype=source.dtype)
    signs[2] = torch.sign(torch.linalg.det(u @ vt))
    turn = u @ torch.diag(signs) @ vt
    scale = (sizes * signs).sum() / (source - middle).square().sum()
    return scale, turn, aim - scale * turn @ middle


def _fitted(part: str, points: Tensor, goal: Tensor, face: Tensor, face_goal: Tensor) -> Tensor:
    """The similarity (2, 3) that takes the part's points to the target's; its size may follow the whole face."""
    fit = fit_similarity(points, goal)
    share = _FACE_SIZE.get(part, 0.0)
    if not share:
        return fit
    rigid = list(RIGID)
    factor = (scale_of(fit_similarity(face[rigid], face_goal[rigid])) / scale_of(fit)) ** share
    middle = points.mean(0, keepdim=True)
    fixed = apply_affine(fit, middle.double())[0]
    linear = fit[:, :2] * factor
    return torch.cat([linear, (fixed - linear @ middle[0].double())[:, None]], 1)
