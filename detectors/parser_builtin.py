"""The built-in parser: one picture and one face -> the probability of each class, at the picture's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from .boxes import window_of
from .bundled import load_bundled
from .crops import crop, to_crop
from .parser_net import CLASSES, PARSER_SIZE, FaceParser
from .parsing import head_square, middle_of_eyes
from .parts import Face
from .schemes import SCHEMES

WEIGHTS = "face_parser.safetensors"
_HAIR = CLASSES.index("hair")
# The near crop is so much wider than CelebA-HQ's square with its padding. The wide one shows long hair and shoulders,
# with fewer pixels.
_NEAR, _WIDE, _WIDE_SIZE = 1.12, 2.2, 224
# Pixels of the near crop over which it gives way to the wide one.
_RAMP = 20
# Spectacles are worn where frame and lens around the eyes cover this much each, in squared distances between the eyes.
# On portraits the thinnest frame covers 0.035 and the smallest lenses 0.44; creases stay below 0.01 of frame.
LEAST_FRAME, LEAST_LENS = 0.03, 0.2
# What counts as around the eyes: so many distances between them to each side, above and below their middle.
_ASIDE, _ABOVE, _BELOW = 1.4, 0.6, 0.7
# A pixel counts as frame from this probability on: thin wires share theirs with the skin.
_FRAME = 0.4
# Radius in pixels and smoothing of the guided filter (He et al. 2010) that gives hair its strands; it computes on the
# crop at half size, which is as good here ("Fast Guided Filter", He and Sun 2015).
_RADIUS, _SMOOTH = 3, 1e-3
# Share of the face's outline, about its middle, inside which nothing but the face can be seen unless it is covered.
_INNER = 0.82
# The classes are kept with so many pixels for one of the near crop, more would add nothing.
_FINE = 1.3
# Crops that go through the net together.
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Parse:
    """One parsed face.

    `window`: the part of the picture (3, h, w) that was parsed; its top left pixel is `corner` (x, y). Nothing is known
    beyond it; that counts as background.
    `coarse`: (10, h / step, w / step) float32 0..1, the probabilities in the order of `parser_net.CLASSES`.
    `strands`: (4, h / step, w / step), hair as a linear function of red, green, blue and 1 at every pixel.
    `size`: H, W of the picture.
    `spectacles`: whether the person wears some. Without, the probabilities of frame and lens are 0.
    """

    window: Tensor
    corner: tuple[int, int]
    coarse: Tensor
    strands: Tensor
    size: tuple[int, int]
    spectacles: bool

    @cached_property
    def _hair(self) -> tuple[Tensor, Tensor]:
        """Hair in the window at its full resolution, with its strands and without: (h, w) 0..1 each."""
        maps = self._full(torch.cat((self.strands, self.coarse[_HAIR][None])))
        return ((maps[:3] * self.window).sum(0) + maps[3]).clamp(0, 1), maps[4]

    def _full(self, maps: Tensor) -> Tensor:
        return F.interpolate(maps[None], self.window.shape[1:], mode="bilinear", align_corners=False)[0]

    def of(self, *classes: str) -> Tensor:
        """The probability (H, W) 0..1 that a pixel of the picture belongs to any of the `classes`, names of CLASSES."""
        x, y = self.corner
        whole = torch.full(self.size, float("background" in classes))
        whole[y : y + self.window.shape[1], x : x + self.window.shape[2]] = self.in_window(*classes)
        return whole

    def in_window(self, *classes: str) -> Tensor:
        """The same, (h, w), over the window that was parsed; its top left pixel is `corner`."""
        others = [CLASSES.index(name) for name in classes if name != "hair"]
        fine, plain = self._hair
        area = fine if "hair" in classes else torch.zeros(())
        if others:
            # The others share what hair leaves, as before. Where nothing but hair was, it is background.
            least = (1 - plain).clamp(min=1e-3)
            own = self._full(self.coarse[others].sum(0)[None])[0]
            own = own + (least - (1 - plain)) if "background" in classes else own
            area = area + (1 - fine) * (own / least).clamp(0, 1)
        return area


class BuiltinParser:
    """Parses faces with the pack's own weights. `net` computes on the device of its parameters."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Raises FileNotFoundError or ValueError when the pack's own weight file is missing or damaged."""
        self.net = load_bundled(FaceParser(), WEIGHTS).to(device)

    def __call__(self, picture: Tensor, face: Face, padding: float = 0.25, wide: bool = True) -> Parse:
        """The parse of one face of the picture (H, W, 3) float32 0..1; see `many`."""
        return self.many([picture], [face], padding, wide)[0]

    @torch.no_grad()
    def many(
        self, pictures: Sequence[Tensor], faces: Sequence[Face], padding: float = 0.25, wide: bool = True
    ) -> list[Parse]:
        """The parse of each face.

        `pictures`: for each face its picture (H, W, 3) float32 0..1, on the CPU.
        `padding`: how much wider than CelebA-HQ's square the nearer of the two parsed squares is, as a share.
        `wide`: whether long hair and shoulders beyond that square are parsed too.
        """
        squares = [_squares(picture, face, padding, wide) for picture, face in zip(pictures, faces, strict=True)]
        near = self._seen(pictures, [own[0] for own in squares], PARSER_SIZE)
        larger = [i for i, own in enumerate(squares) if len(own) > 1]
        wide_views = self._seen([pictures[i] for i in larger], [squares[i][1] for i in larger], _WIDE_SIZE)
        views = [[view] for view in near]
        for i, view in zip(larger, wide_views, strict=True):
            views[i].append(view)
        return [_parse(picture, face, own) for picture, face, own in zip(pictures, faces, views, strict=True)]

    def _seen(self, pictures: Sequence[Tensor], squares: Sequence[Tensor], size: int) -> list[_View]:
        device = next(self.net.parameters()).device
        views: list[_View] = []
        for start in range(0, len(squares), _BATCH):
            some = squares[start : start + _BATCH]
            pairs = zip(pictures[start : start + _BATCH], some, strict=True)
            crops = torch.stack([crop(picture.permute(2, 0, 1), square, size) for picture, square in pairs])
            logits = self.net(crops.to(device).contiguous(memory_format=torch.channels_last)).float().cpu()
            views += map(_View, some, crops, logits.softmax(1))
        return views


@dataclass(frozen=True, eq=False)
class _View:
    """What the net sees in one `square` (4,): its `crop` (3, s, s) and the probabilities (10, s, s)."""

    square: Tensor
    crop: Tensor
    probabilities: Tensor


def _squares(picture: Tensor, face: Face, padding: float, wide: bool) -> list[Tensor]:
    """The near square and, where the picture is larger and it is asked for, the wide one."""
    near = _NEAR * (1 + padding)
    square = head_square(face, near)
    return [square] if not wide or _covers(square, picture) else [square, head_square(face, max(_WIDE, 1.6 * near))]


def _covers(square: Tensor, picture: Tensor) -> bool:
    """Whether the whole picture lies inside the square."""
    height, width = picture.shape[:2]
    corners = torch.tensor([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
    spots = to_crop(corners[None], square[None], 1)
    return bool(((spots >= 0) & (spots <= 1)).all())


def _parse(picture: Tensor, face: Face, views: Sequence[_View]) -> Parse:
    near = views[0]
    spectacles = _wears(near, face)
    size = (picture.shape[0], picture.shape[1])
    (x, y), (h, w) = _window(views[-1].square, size)
    step = max(1, int(float(near.square[2]) / PARSER_SIZE / _FINE))
    grid_size = (-(-h // step), -(-w // step))
    maps, share = torch.zeros(len(CLASSES) + 4, *grid_size), torch.zeros(grid_size)
    for view in views:
        own = torch.cat((view.probabilities, _coefficients(view.crop, view.probabilities[_HAIR])))
        # With a small face, several pixels of the crop make one of the picture.
        several = int(own.shape[-1] / float(view.square[2]))
        own = F.avg_pool2d(own[None], several) if several > 1 else own[None]
        grid, inside = _grid(view.square, (x, y), (h, w), grid_size)
        weight = (1 - share) * (inside if view is not views[-1] else 1.0)
        maps += weight * F.grid_sample(own, grid, "bilinear", "border", align_corners=False)[0]
        share = share + weight
    coarse, strands = maps.split((len(CLASSES), 4))
    if not spectacles:
        coarse = _moved(coarse, ("frame", "lens"), "face", torch.ones(()))
    if face.scheme and "skin" in SCHEMES[face.scheme].rings:
        ring = face.landmarks[list(SCHEMES[face.scheme].rings["skin"][0])] - torch.tensor([x, y])
        coarse = _uncovered(coarse, ring * torch.tensor([grid_size[1] / w, grid_size[0] / h]))
    return Parse(picture[y : y + h, x : x + w].permute(2, 0, 1), (x, y), coarse, strands, size, spectacles)


def _wears(near: _View, face: Face) -> bool:
    """Whether frames and lenses seen around the eyes are large enough to be some."""
    frame, lens = _seen_of_spectacles(near, face)
    return frame > LEAST_FRAME and lens > LEAST_LENS


def _seen_of_spectacles(near: _View, face: Face) -> tuple[float, float]:
    """The areas of frame and lens around the eyes, in squared distances between the eyes."""
    unit = PARSER_SIZE * float(head_square(face)[2]) / float(near.square[2]) / 4
    x, y = to_crop(middle_of_eyes(face)[None, None], near.square[None], PARSER_SIZE)[0, 0].tolist()
    rows = slice(max(0, int(y - _ABOVE * unit)), max(0, int(y + _BELOW * unit)))
    columns = slice(max(0, int(x - _ASIDE * unit)), max(0, int(x + _ASIDE * unit)))
    frame, lens = (near.probabilities[CLASSES.index(name), rows, columns] for name in ("frame", "lens"))
    return float((frame > _FRAME).sum()) / unit**2, float((lens > 0.5).sum()) / unit**2


def _moved(probabilities: Tensor, classes: Sequence[str], to: str, where: Tensor) -> Tensor:
    """Give the probability (..., 10, h, w) of `classes` to the class `to`, as far as `where` (h, w) 0..1 says."""
    numbers = [CLASSES.index(name) for name in classes]
    moved = probabilities.clone()
    moved[..., CLASSES.index(to), :, :] += (probabilities[..., numbers, :, :] * where).sum(-3)
    moved[..., numbers, :, :] *= 1 - where
    return moved


def _uncovered(coarse: Tensor, ring: Tensor) -> Tensor:
    """Neck, clothes or ground seen in the middle of the face cover it: a hand has the neck's colour."""
    inner = ring.mean(0) + _INNER * (ring - ring.mean(0))
    where = filled(inner, (coarse.shape[1], coarse.shape[2]))
    return _moved(coarse, ("background", "neck", "body", "ears"), "occluder", where)


def filled(ring: Tensor, size: tuple[int, int]) -> Tensor:
    """The area (H, W) 0 or 1 inside a closed outline (N, 2) in pixels."""
    image = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in ring], fill=1)
    return torch.from_numpy(np.array(image)).float()


def _window(square: Tensor, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The part of the picture that the square reaches: its corner (x, y) and its size (h, w)."""
    reach = float(square[2]) / 2 * float(square[3].cos().abs() + square[3].sin().abs())
    low, high = (square[:2] - reach).tolist(), (square[:2] + reach).tolist()
    x0, y0, x1, y1 = window_of((*low, *high), size) or (0, 0, 1, 1)
    return (x0, y0), (y1 - y0, x1 - x0)


def _grid(
    square: Tensor, corner: tuple[int, int], window: tuple[int, int], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Where the cells of the window lie in the square: (1, *size, 2) in -1..1, and how far inside: `size`, 0..1."""
    ys = (torch.arange(size[0]) + 0.5) * (window[0] / size[0]) + corner[1]
    xs = (torch.arange(size[1]) + 0.5) * (window[1] / size[1]) + corner[0]
    cos, sin = (2 / square[2] * t for t in (square[3].cos(), square[3].sin()))
    right, down = xs - square[0], (ys - square[1])[:, None]
    grid = torch.stack((cos * right + sin * down, cos * down - sin * right), -1)
    inside = ((1 - grid.abs().amax(-1)) * (PARSER_SIZE / 2 / _RAMP)).clamp(0, 1)
    return grid[None], inside


def _coefficients(guide: Tensor, area: Tensor) -> Tensor:
    """The guided filter's linear model of `area` (h, w) in the colours of `guide` (3, h, w): (4, h, w)."""
    size = area.shape
    guide, area = F.avg_pool2d(guide[None], 2)[0], F.avg_pool2d(area[None], 2)[0]
    products = torch.stack([guide[i] * guide[j] for i in range(3) for j in range(i, 3)])
    mean = _box(torch.cat((guide, products, area[None], guide * area)))
    g, gg, a, ga = mean[:3], mean[3:9], mean[9], mean[10:]
    rr, rg, rb, gg_, gb, bb = (
        gg[n] - g[i] * g[j] + (_SMOOTH if i == j else 0)
        for n, (i, j) in enumerate((i, j) for i in range(3) for j in range(i, 3))
    )
    cov = ga - g * a
    # The inverse of the 3 x 3 covariance by its cofactors.
    inverse = torch.stack((
        torch.stack((gg_ * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg_ * rb)),
        torch.stack((gb * rb - rg * bb, rr * bb - rb * rb, rb * rg - rr * gb)),
        torch.stack((rg * gb - gg_ * rb, rb * rg - rr * gb, rr * gg_ - rg * rg)),
    ))  # fmt: skip
    determinant = rr * inverse[0, 0] + rg * inverse[0, 1] + rb * inverse[0, 2]
    slope = (inverse * cov).sum(1) / determinant
    model = _box(torch.cat((slope, (a - (slope * g).sum(0))[None])))
    return F.interpolate(model[None], size, mode="bilinear", align_corners=False)[0]


def _box(maps: Tensor) -> Tensor:
    """The mean of each map (C, h, w) over a square around every pixel, smaller at the edges."""
    side = 2 * _RADIUS + 1
    rows = F.avg_pool2d(maps[None], (1, side), 1, (0, _RADIUS), count_include_pad=False)
    return F.avg_pool2d(rows, (side, 1), 1, (_RADIUS, 0), count_include_pad=False)[0]
