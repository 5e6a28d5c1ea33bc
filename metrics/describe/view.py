"""What is looked at to describe a face: an upright cut of the picture, the mesh as seen from in front, and masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from ...detectors.crops import crop
from ...detectors.parts import Face
from ...detectors.regions import eye_distance
from ...fusion.lab import to_lab

# Side of the cut, in eye distances and in pixels; its middle lies so many eye distances below the eyes.
SIDE, PIXELS, BELOW_EYES = 2.2, 132, 0.42
# The same of the coarse masks, which reach over long hair.
WIDE_SIDE, WIDE_PIXELS, WIDE_BELOW = 6.4, 72, 0.9
# Pixels of the picture between the outer corners of the eyes below which small things are not seen any more.
_SMALL = 70
# Degrees of yaw up to which both halves of a face are seen well, and from which one half is hidden.
_AHEAD, _ASIDE = 18, 60


class FaceView:
    """One face, upright. Pixels of the cut are `PIXELS / SIDE` for an eye distance."""

    def __init__(self, picture: Tensor, face: Face) -> None:
        """`picture`: (H, W, 3) float32 0..1. `face`: one with a mesh."""
        self.picture, self.face = picture, face
        self.unit = eye_distance(face)
        self._masks: dict[str, Tensor | None] = {}
        self._square = self._placed(SIDE, BELOW_EYES)
        self.rgb = crop(picture.permute(2, 0, 1), self._square, PIXELS).permute(1, 2, 0)
        self.points = _in_cut(face.landmarks, self._square, PIXELS)
        # Pixels of the cut for one eye distance.
        self.scale = PIXELS / SIDE

    def _placed(self, side: float, below: float) -> Tensor:
        """The square (4,): centre x, y, side in pixels of the picture, angle in radians."""
        left, right = self.face.landmarks[[33, 133]].mean(0), self.face.landmarks[[362, 263]].mean(0)
        along = right - left
        angle = math.atan2(float(along[1]), float(along[0]))
        middle = (left + right) / 2 + self.unit * below * torch.tensor([-math.sin(angle), math.cos(angle)])
        return torch.tensor([float(middle[0]), float(middle[1]), side * self.unit, angle])

    @cached_property
    def pixels(self) -> Tensor:
        """(PIXELS, PIXELS, 4) of the cut: L, a, b, and the fine detail of L, how far it is from the mean around it."""
        lab = to_lab(self.rgb)
        lightness = lab[..., 0]
        return torch.cat([lab, (lightness - blurred(lightness, 2)).abs()[..., None]], -1)

    @cached_property
    def array(self) -> np.ndarray:
        """`pixels` for many small steps, which cost a fraction with numpy."""
        return self.pixels.numpy()

    @cached_property
    def detail(self) -> float:
        """0..1: 1 where the face is large enough for small things, 0 where it is tiny."""
        return min(1.0, self.unit / _SMALL)

    @cached_property
    def frontal(self) -> float:
        """0..1: 1 for a head that looks ahead, 0 for one in profile."""
        yaw = abs(self.face.angles[0]) if self.face.angles else 0.0
        return max(0.0, min(1.0, (_ASIDE - yaw) / (_ASIDE - _AHEAD)))

    @cached_property
    def shape(self) -> Tensor:
        """(N, 3): the mesh as seen from in front, x to the right, y down, z away, in distances between the eyes' outer
        corners; 0 lies between the eyes. Without depth it is the mesh in the picture, turned upright."""
        depth = torch.zeros(len(self.face.landmarks)) if self.face.depth is None else self.face.depth
        points = torch.cat([self.face.landmarks, depth[:, None]], 1)
        across = _unit((points[[263, 362, 454]] - points[[33, 133, 234]]).sum(0))
        down = points[152] - points[10]
        down = _unit(down - (down @ across) * across)
        away = torch.linalg.cross(across, down)
        points = (points - points[[33, 263]].mean(0)) @ torch.stack([across, down, away]).T
        return points / (points[263] - points[33]).norm().clamp_min(1e-6)

    @cached_property
    def _places(self) -> list[list[float]]:
        return self.shape.tolist()

    def places(self, points: Sequence[int]) -> list[list[float]]:
        """x, y, z of these points of `shape`."""
        return [self._places[point] for point in points]

    def span(self, first: int, second: int) -> float:
        """The distance between two mesh points as seen from in front, in eye distances."""
        return math.dist(self._places[first], self._places[second])

    def within(self, *rings: Sequence[int], but: Sequence[int] = ()) -> Tensor:
        """(n, 4) pixels within any of the rings of mesh points, and not within the ring `but`."""
        points = self.points.numpy()
        return self.inside([points[list(ring)] for ring in rings], points[list(but)] if but else None)

    def inside(self, rings: Sequence[np.ndarray], but: np.ndarray | None = None) -> Tensor:
        """(n, 4) pixels within any of the rings (N, 2), in pixels of the cut, and not within the ring `but`."""
        ends = np.concatenate(rings)
        x0, y0 = (max(0, int(low)) for low in ends.min(0))
        x1, y1 = (min(PIXELS, int(high) + 1) for high in ends.max(0))
        if x0 >= x1 or y0 >= y1:
            return torch.zeros(0, 4)
        size, corner = (y1 - y0, x1 - x0), np.array([x0, y0], np.float32)
        keep = filled([ring - corner for ring in rings], size)
        if but is not None:
            keep &= ~filled([but - corner], size)
        return torch.from_numpy(self.array[y0:y1, x0:x1][keep])

    def around(self, points: Sequence[int]) -> Tensor:
        """(n, 4) pixels of the squares of 2 * _REACH eye distances around these mesh points."""
        reach = round(_REACH * self.scale)
        line = torch.arange(-reach, reach + 1)
        columns, rows = self.points[list(points)].long().clamp(reach, PIXELS - 1 - reach).unbind(-1)
        return self.pixels[rows[:, None, None] + line[:, None], columns[:, None, None] + line].reshape(-1, 4)

    @cached_property
    def skin(self) -> Tensor:
        """(4,): the median pixel of the cheeks and the forehead."""
        return self.around(_BARE).median(0).values

    def mask(self, part: str) -> Tensor | None:
        """(WIDE_PIXELS, WIDE_PIXELS) 0..1 over the wide square; None where the part was never looked for."""
        if part not in self._masks:
            self._masks[part] = self._mask(part)
        return self._masks[part]

    def _mask(self, part: str) -> Tensor | None:
        region = self.face.regions.get(part)
        if region is None:
            return None
        if region.mask is not None:
            return _read(region.mask, region.corner, self._wide_spots, (WIDE_PIXELS, WIDE_PIXELS))
        rings = [_in_cut(ring.float(), self.wide_square, WIDE_PIXELS).numpy() for ring in region.rings]
        return torch.from_numpy(filled(rings, (WIDE_PIXELS, WIDE_PIXELS))).float()

    @cached_property
    def wide_square(self) -> Tensor:
        return self._placed(WIDE_SIDE, WIDE_BELOW)

    @cached_property
    def wide_lab(self) -> Tensor:
        """(WIDE_PIXELS, WIDE_PIXELS, 3) L, a, b over the wide square."""
        return to_lab(crop(self.picture.permute(2, 0, 1), self.wide_square, WIDE_PIXELS).permute(1, 2, 0))

    @cached_property
    def wide_points(self) -> Tensor:
        """(N, 2): the mesh in pixels of the wide square."""
        return _in_cut(self.face.landmarks, self.wide_square, WIDE_PIXELS)

    @cached_property
    def _wide_spots(self) -> Tensor:
        return _pixels_under(self.wide_square, WIDE_PIXELS)


# Half the side of a square around a mesh point, in eye distances.
_REACH = 0.06
# Mesh points on cheeks and forehead where skin is bare.
_BARE = (50, 280, 101, 330, 117, 346, 118, 347, 151, 9)


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm().clamp_min(1e-9)


def _in_cut(points: Tensor, square: Tensor, size: int) -> Tensor:
    """Points (N, 2) in pixels of the picture -> pixels of the `square`'s crop of `size` pixels."""
    x, y, side, angle = square.tolist()
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[cos, -sin], [sin, cos]]) * (size / side)
    return (points - torch.tensor([x, y])) @ turn + size / 2


def _pixels_under(square: Tensor, size: int) -> Tensor:
    """(size * size, 2) whole pixels of the picture, x and y, under the pixels of a crop, row by row."""
    x, y, side, angle = square.tolist()
    across = ((torch.arange(size) + 0.5) / size - 0.5) * side
    down, cos, sin = across[:, None], math.cos(angle), math.sin(angle)
    spots = torch.stack([x + cos * across - sin * down, y + sin * across + cos * down], -1)
    return spots.floor().long().view(-1, 2)


def _read(mask: Tensor, corner: tuple[int, int], spots: Tensor, size: tuple[int, int]) -> Tensor:
    """The mask (h, w), its top left pixel at `corner`, read at `spots` (N, 2), as (H, W) of `size`; 0 beyond it."""
    x, y = (spots - torch.tensor(corner)).unbind(-1)
    height, width = mask.shape
    here = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return (mask[y.clamp(0, height - 1), x.clamp(0, width - 1)] * here).view(size)


def filled(rings: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: the pixels within any of the rings, each (N, 2) in pixels."""
    image = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(image)
    for ring in rings:
        pen.polygon(ring.ravel().tolist(), fill=1)
    return np.asarray(image) > 0


def blurred(values: Tensor, radius: int) -> Tensor:
    """(h, w) -> its mean over squares of 2 * radius + 1 pixels, as far as they lie inside."""
    return functional.avg_pool2d(values[None, None], 2 * radius + 1, 1, radius, count_include_pad=False)[0, 0]
