"""The built-in parser: one picture and one face -> the probability of each class, at the picture's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .boxes import Window, window_of
from .bundled import load_bundled
from .crops import crop, to_crop
from .parser_corrections import cells_of, clear_hair, mend_occluders, move
from .parser_net import CLASSES, PARSER_SIZE, FaceParser
from .parser_views import Cells, View, laid, strand_models
from .parsing import head_square, middle_of_eyes
from .parts import Face
from .schemes import SCHEMES
from .spectacles_net import WEIGHTS as SPECTACLES_WEIGHTS
from .spectacles_net import CloseLook, look_closely, spectacles_net

WEIGHTS = "face_parser.safetensors"
_HAIR = CLASSES.index("hair")
# The near crop is so much wider than CelebA-HQ's square with its padding. The wide one shows long hair and shoulders,
# with fewer pixels.
_NEAR, _WIDE, _WIDE_SIZE = 1.12, 2.2, 224
# Spectacles are worn where frame and lens around the eyes cover this much each, in squared distances between the eyes.
# On portraits the thinnest frame covers 0.035 and the smallest lenses 0.44; creases stay below 0.01 of frame.
LEAST_FRAME, LEAST_LENS = 0.03, 0.2
# What counts as around the eyes: so many distances between them to each side, above and below their middle.
_ASIDE, _ABOVE, _BELOW = 1.4, 0.6, 0.7
# A pixel counts as frame from this probability on: thin wires share theirs with the skin.
_FRAME = 0.4
# The classes are kept with so many pixels for one of the near crop, more would add nothing.
_FINE = 1.3
# What counts as around the face where it alone is parsed, in distances between the eyes.
_AROUND = 0.3
# Crops that go through the net together.
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Parse:
    """One parsed face.

    `window`: the part of the picture (3, h, w) that was parsed; its top left pixel is `corner` (x, y). Nothing is known
    beyond it; that counts as background.
    `coarse`: (10, rows, columns) float32 0..1, the probabilities in the order of `parser_net.CLASSES`. A cell is `step`
    pixels wide and high; the last ones may reach beyond the window.
    `size`: H, W of the picture.
    `spectacles`: whether the person wears some. Without, the probabilities of frame and lens are 0.
    `views`: what the net saw, the nearest first; from them hair gets its strands when it is first asked for.
    """

    window: Tensor
    corner: tuple[int, int]
    coarse: Tensor
    step: int
    size: tuple[int, int]
    spectacles: bool
    views: tuple[View, ...]

    @cached_property
    def _hair(self) -> tuple[Tensor, Tensor]:
        """Over the window, (h, w) each: hair with its strands, and a factor for the other classes, which share what
        hair leaves."""
        fine, factor = torch.zeros(self.window.shape[1:]), torch.ones(self.window.shape[1:])
        cells = self.cells_of("hair")
        if cells is not None:
            models = [strand_models(view.crop, view.probabilities[_HAIR]) for view in self.views]
            strands = laid(self.views, models, self.corner, self.step, cells)
            maps = self._full(torch.cat((strands, self.coarse[_HAIR : _HAIR + 1, cells[0], cells[1]])))
            rows, columns = self.pixels_of(cells)
            maps = maps[:, : rows.stop - rows.start, : columns.stop - columns.start]
            own = maps[3]
            for slope, colour in zip(maps[:3], self.window[:, rows, columns], strict=True):
                own.addcmul_(slope, colour)
            own.clamp_(0, 1)
            fine[rows, columns], factor[rows, columns] = own, (1 - own) / (1 - maps[4]).clamp(min=1e-3)
        return fine, factor

    def cells_of(self, *classes: str) -> Cells | None:
        """The rectangle of cells outside which none of the `classes` is likely; None where none is seen at all."""
        return cells_of(self.coarse, *classes)

    def pixels_of(self, cells: Cells) -> tuple[slice, slice]:
        """Rows and columns of the window's pixels in a rectangle of cells."""
        (h, w), step = self.window.shape[1:], self.step
        rows, columns = (slice(step * side.start, step * side.stop) for side in cells)
        return slice(rows.start, min(rows.stop, h)), slice(columns.start, min(columns.stop, w))

    def _full(self, maps: Tensor) -> Tensor:
        """Maps of cells (C, rows, columns) with a pixel for each pixel that they cover."""
        if self.step == 1:
            return maps
        return F.interpolate(maps[None], scale_factor=self.step, mode="bilinear", align_corners=False)[0]

    def of(self, *classes: str) -> Tensor:
        """The probability (H, W) 0..1 that a pixel of the picture belongs to any of the `classes`, names of CLASSES."""
        x, y = self.corner
        whole = torch.full(self.size, float("background" in classes))
        every = slice(0, self.coarse.shape[1]), slice(0, self.coarse.shape[2])
        whole[y : y + self.window.shape[1], x : x + self.window.shape[2]] = self.within(every, *classes)
        return whole

    def within(self, cells: Cells, *classes: str) -> Tensor:
        """The same over the pixels of a rectangle of cells."""
        if "background" in classes:
            # Also where nothing but hair was seen and its strands leave some.
            return 1 - self.within(cells, *(name for name in CLASSES if name not in classes))
        fine, factor = (maps[self.pixels_of(cells)] for maps in self._hair)
        others = [CLASSES.index(name) for name in classes if name != "hair"]
        area = fine if "hair" in classes else torch.zeros(())
        if others:
            own = self._full(self.coarse[others, cells[0], cells[1]].sum(0, keepdim=True))[0]
            own = own[: fine.shape[0], : fine.shape[1]] * factor
            area = area + own
        return area.clamp(0, 1)


class ParserNets(nn.Module):
    """The parser's net, and the one that looks at spectacles closely, with the pack's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.head = load_bundled(FaceParser(), WEIGHTS)
        self.spectacles = load_bundled(spectacles_net(), SPECTACLES_WEIGHTS)


class BuiltinParser:
    """Parses faces with the pack's own weights. `net` computes on the device of its parameters."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Raises FileNotFoundError or ValueError when the pack's own weight file is missing or damaged."""
        self.net = ParserNets().to(device)

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
        `wide`: whether long hair and shoulders beyond that square are parsed too; without, only the face and what
            covers it.
        """
        squares = [_squares(picture, face, padding, wide) for picture, face in zip(pictures, faces, strict=True)]
        near = self._seen(pictures, [own[0] for own in squares], PARSER_SIZE)
        larger = [i for i, own in enumerate(squares) if len(own) > 1]
        wide_views = self._seen([pictures[i] for i in larger], [squares[i][1] for i in larger], _WIDE_SIZE)
        views = [[view] for view in near]
        for i, view in zip(larger, wide_views, strict=True):
            views[i].append(view)
        looks = self._looks(pictures, faces, near)
        return [_parse(*each, wide) for each in zip(pictures, faces, views, looks, strict=True)]

    def _looks(self, pictures: Sequence[Tensor], faces: Sequence[Face], near: Sequence[View]) -> list[CloseLook | None]:
        """The close look at each face that wears spectacles at first sight and closely."""
        wearers = [i for i, (view, face) in enumerate(zip(near, faces, strict=True)) if _wears(view, face)]
        looks = look_closely(self.net.spectacles, [pictures[i] for i in wearers], [faces[i] for i in wearers])
        look_of = {i: look for i, look in zip(wearers, looks, strict=True) if look.sees_spectacles}
        return [look_of.get(i) for i in range(len(faces))]

    def _seen(self, pictures: Sequence[Tensor], squares: Sequence[Tensor], size: int) -> list[View]:
        device = next(self.net.parameters()).device
        views: list[View] = []
        for start in range(0, len(squares), _BATCH):
            some = squares[start : start + _BATCH]
            pairs = zip(pictures[start : start + _BATCH], some, strict=True)
            crops = torch.stack([crop(picture.permute(2, 0, 1), square, size) for picture, square in pairs])
            logits = self.net.head(crops.to(device).contiguous(memory_format=torch.channels_last)).float().cpu()
            views += map(View, some, crops, logits.softmax(1))
        return views


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


def _parse(picture: Tensor, face: Face, views: Sequence[View], look: CloseLook | None, wide: bool) -> Parse:
    near = views[0]
    size = (picture.shape[0], picture.shape[1])
    step = max(1, int(float(near.square[2]) / PARSER_SIZE / _FINE))
    x, y, right, bottom = _window(views[-1].square, size)
    if not wide and face.shows("skin"):
        x, y, right, bottom = _around_face(face, (x, y, right, bottom), step)
    h, w = bottom - y, right - x
    cells = slice(0, -(-h // step)), slice(0, -(-w // step))
    coarse = laid(views, [view.probabilities for view in views], (x, y), step, cells)
    if look is None:
        move(coarse, ("frame", "lens"), "face", torch.ones(()))
    else:
        look.refine(coarse, (x, y), step)
    if face.scheme and "skin" in SCHEMES[face.scheme].rings:
        ring = face.landmarks[list(SCHEMES[face.scheme].rings["skin"][0])] - torch.tensor([x, y])
        mend_occluders(coarse, ring / step, float(head_square(face)[2]) / 4 / step)
    clear_hair(coarse)
    window = picture[y : y + h, x : x + w].permute(2, 0, 1)
    return Parse(window, (x, y), coarse, step, size, look is not None, tuple(views))


def _wears(near: View, face: Face) -> bool:
    """Whether frames and lenses seen around the eyes are large enough to be some."""
    frame, lens = _seen_of_spectacles(near, face)
    return frame > LEAST_FRAME and lens > LEAST_LENS


def _seen_of_spectacles(near: View, face: Face) -> tuple[float, float]:
    """The areas of frame and lens around the eyes, in squared distances between the eyes."""
    unit = PARSER_SIZE * float(head_square(face)[2]) / float(near.square[2]) / 4
    x, y = to_crop(middle_of_eyes(face)[None, None], near.square[None], PARSER_SIZE)[0, 0].tolist()
    rows = slice(max(0, int(y - _ABOVE * unit)), max(0, int(y + _BELOW * unit)))
    columns = slice(max(0, int(x - _ASIDE * unit)), max(0, int(x + _ASIDE * unit)))
    frame, lens = (near.probabilities[CLASSES.index(name), rows, columns] for name in ("frame", "lens"))
    return float((frame > _FRAME).sum()) / unit**2, float((lens > 0.5).sum()) / unit**2


def _window(square: Tensor, size: tuple[int, int]) -> Window:
    """The part of a picture of `size` (H, W) that the square reaches."""
    reach = float(square[2]) / 2 * float(square[3].cos().abs() + square[3].sin().abs())
    low, high = (square[:2] - reach).tolist(), (square[:2] + reach).tolist()
    return window_of((*low, *high), size) or (0, 0, 1, 1)


def _around_face(face: Face, window: Window, step: int) -> Window:
    """The part of the window, in whole cells of `step` pixels, that holds the face and a little around it."""
    x, y, right, bottom = window
    own = window_of(face.box_of("skin"), (bottom, right), _AROUND * float(head_square(face)[2]) / 4)
    if own is None or own[2] <= x or own[3] <= y:
        return window
    left, top = (low + step * max(0, (start - low) // step) for low, start in ((x, own[0]), (y, own[1])))
    return left, top, own[2], own[3]
