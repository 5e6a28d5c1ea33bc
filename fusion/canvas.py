"""What a composite is made of: how parts are blended, the faces that give them, and the picture that is fused."""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..detectors.mirror_image import mirror_image
from ..detectors.parts import Face
from .cover import Cover


def black_masks(shape: Sequence[int]) -> Tensor:
    """Zeros (B, H, W), float32. Only the pages take memory that something is written into: of a film those of the face.

    NumPy's zeros come in pages of 2 MB where the system has them; PyTorch writes its own.
    """
    count = math.prod(shape)
    # Windows has neither word, and keeps such pages to the process without it.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    pages = mmap.mmap(-1, max(1, count * torch.float32.itemsize), **private)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(pages, dtype=torch.float32, count=count).view(*shape)


@dataclass(frozen=True)
class Style:
    """How parts are blended.

    `warp`: of WARPS. `tone`, `light`: 0..1. `grow`: 0..10, 1 is the tuned reach.
    `skin_only`: whether "skin" leaves brows, eyes, nose and mouth the target's.
    """

    warp: str = "similarity"
    tone: float = 1.0
    grow: float = 1.0
    light: float = 1.0
    skin_only: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """One face that gives one part to one picture.

    `picture`: (H, W, 3) float32, 0..1.
    `mask`: (H, W) on `picture`, 0..1, 1 = may be taken; None: everything may.
    `cover`: what lies over the face and is not taken; None: nothing.
    """

    picture: Tensor
    face: Face
    mask: Tensor | None = None
    cover: Cover | None = None

    @cached_property
    def mirror(self) -> Source:
        """The mirror image of the picture and all that belongs to it."""
        width = self.picture.shape[1]
        return replace(
            self,
            picture=self.picture.flip(1),
            face=mirror_image(self.face, width),
            mask=None if self.mask is None else self.mask.flip(1),
            cover=None if self.cover is None else self.cover.mirrored(width),
        )


@dataclass(frozen=True, eq=False)
class Canvas:
    """The picture that is fused.

    `picture`: (H, W, 3) float32, 0..1; changed in place.
    `changed`: (H, W) float32, 0..1; raised in place where the picture may have changed.
    `mask`: (H, W), 0..1, 1 = the picture may change there; None: everywhere.
    `cover`: what lies over the target's face and stays on top; None: nothing.
    `tone`: (steps, 2), the colour of each lightness in a monochrome; None for a photograph in colour.
    """

    picture: Tensor
    changed: Tensor
    mask: Tensor | None
    cover: Cover | None = None
    tone: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """H, W in pixels."""
        return int(self.picture.shape[0]), int(self.picture.shape[1])
