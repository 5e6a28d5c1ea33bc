"""The close look at spectacles: in the parser's view of a whole head, frames are thinner than a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .boxes import bounding_box, window_of
from .crops import crop, to_picture
from .parser_net import CLASSES, STAGES, FaceParser
from .parser_views import Cells, View, laid
from .parsing import head_square, middle_of_eyes
from .parts import Face

WEIGHTS = "spectacles.safetensors"
# The net sees a strip around the eyes, so many pixels wide and high: 107 for the distance between the eyes, where the
# parser's view has 46.
STRIP_WIDTH, STRIP_HEIGHT = 320, 160
# Width of the strip in shares of CelebA-HQ's square, which is four distances between the eyes wide.
STRIP = 0.75
# What the net tells apart.
LOOKS = ("rest", "frame", "lens")
# The deeper stages know heads, which are larger than the strip.
_STAGES = STAGES[:8]
# Pixels at the strip's edge over which the close look gives way to the parser's view.
_RAMP = 16
_FACE, _FRAME, _LENS = (CLASSES.index(name) for name in ("face", "frame", "lens"))
# A pixel counts as frame from this probability on, and spectacles have so much of it at least, in squared distances
# between the eyes: the thinnest has 0.05, eyes in shadow that the parser takes for spectacles have 0.0002.
_SEEN, _LEAST_FRAME = 0.15, 0.015
# Strips that go through the net together.
_BATCH = 16


def spectacles_net() -> FaceParser:
    """(N, 3, 160, 320) RGB 0..1 -> logits (N, 3, 160, 320), in the order of LOOKS."""
    return FaceParser(_STAGES, len(LOOKS))


def strip_square(face: Face) -> Tensor:
    """The square (4,) around the eyes, as in `detectors.crops`, of which the strip is the middle half of its rows."""
    return torch.cat((middle_of_eyes(face), head_square(face, STRIP)[2:]))


@dataclass(frozen=True, eq=False)
class CloseLook:
    """What the net sees in the strip of one face.

    `square`: (4,), as `strip_square` gives it. `maps`: (3, 320, 320) float32 0..1 over that square: how much the look
    counts, which is 0 beyond the strip, and frame and lens, as far as it counts.
    """

    square: Tensor
    maps: Tensor

    @property
    def sees_spectacles(self) -> bool:
        return float((self.maps[1] > _SEEN).sum()) * (4 * STRIP / STRIP_WIDTH) ** 2 > _LEAST_FRAME

    def refine(self, coarse: Tensor, corner: tuple[int, int], step: int) -> None:
        """Let frame and lens be what is seen here; what else was taken for them becomes the likeliest other class.

        `coarse`: (10, rows, columns), the parser's probabilities; changed in place. `corner`: x, y of their first pixel
        in the picture. `step`: side of a cell in pixels.
        """
        cells = self._cells(corner, step, (coarse.shape[1], coarse.shape[2]))
        if cells is None:
            return
        view = View(self.square, self.maps, self.maps)
        counts, frame, lens = laid([view], [self.maps], corner, step, cells)
        own = coarse[:, cells[0], cells[1]]
        frame, lens = own[_FRAME] * (1 - counts) + frame, own[_LENS] * (1 - counts) + lens
        own *= (1 - frame - lens) / (1 - own[_FRAME] - own[_LENS]).clamp(min=1e-3)
        own[_FRAME], own[_LENS] = frame, lens
        # Where the parser saw nothing but spectacles and none are, the face is seen.
        own[_FACE] += 1 - own.sum(0)

    def _cells(self, corner: tuple[int, int], step: int, size: tuple[int, int]) -> Cells | None:
        corners = torch.tensor([[0.0, 0.25], [1.0, 0.25], [1.0, 0.75], [0.0, 0.75]])
        spots = to_picture(corners[None], self.square[None], 1)[0] - torch.tensor(corner)
        window = window_of(bounding_box(spots / step), size)
        return None if window is None else (slice(window[1], window[3]), slice(window[0], window[2]))


def look_closely(net: FaceParser, pictures: Sequence[Tensor], faces: Sequence[Face]) -> list[CloseLook]:
    """The close look at each face. `pictures`: for each face its picture (H, W, 3) float32 0..1, on the CPU."""
    device, ramp, looks = next(net.parameters()).device, _ramp(), []
    margin = (STRIP_WIDTH - STRIP_HEIGHT) // 2
    for start in range(0, len(faces), _BATCH):
        squares = [strip_square(face) for face in faces[start : start + _BATCH]]
        pairs = zip(pictures[start : start + _BATCH], squares, strict=True)
        crops = torch.stack([crop(picture.permute(2, 0, 1), square, STRIP_WIDTH) for picture, square in pairs])
        strips = crops[:, :, margin : margin + STRIP_HEIGHT].to(device).contiguous(memory_format=torch.channels_last)
        for square, shares in zip(squares, net(strips).softmax(1).float().cpu(), strict=True):
            maps = torch.zeros(3, STRIP_WIDTH, STRIP_WIDTH)
            maps[:, margin : margin + STRIP_HEIGHT] = ramp * torch.stack((torch.ones(ramp.shape), shares[1], shares[2]))
            looks.append(CloseLook(square, maps))
    return looks


def _ramp() -> Tensor:
    """(160, 320) 0..1: how much the look counts, less towards the strip's edges."""
    sides = []
    for length in (STRIP_HEIGHT, STRIP_WIDTH):
        spots = torch.arange(length) + 0.5
        sides.append((torch.minimum(spots, length - spots) / _RAMP).clamp(max=1))
    return torch.minimum(sides[0][:, None], sides[1])
