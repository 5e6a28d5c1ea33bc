"""The records between encoder and sampler: features of a reference, features of the target, and one fused map.

The *view* is the picture that the encoder sees: a square around the face, or in mode "released" the whole picture.
Boxes are y0, x0, y1, x1 in 0..1 of the view unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ...detectors.conventions import FUSE_ANY_PART

MODES = ("practical", "released")
ROLES = ("reference", "target")
RELEASED_PARTS = FUSE_ANY_PART


@dataclass(frozen=True, eq=False)
class TargetPicture:
    """The target's photographs, for the sampler; B pictures.

    `picture`: (B, H, W, 3) float32, 0..1, as it was.
    `painted`: the same with the parts painted out.
    `view`: (B, 4), the view's box in the picture; it may leave 0..1.
    `boxes`: part -> (B, 4), the part's box in the picture.
    `mask`: (B, H, W) float32, 0..1, 1 = to be made anew.
    """

    picture: Tensor
    painted: Tensor
    view: Tensor
    boxes: Mapping[str, Tensor]
    mask: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class PartFeatures:
    """The value on the PART_FEATURES wire: `ReferenceFeatures` or `TargetFeatures`, and what both have; B pictures.

    `mode`: of MODES.
    `grid`: h, w in cells.
    `classes`: leading tokens that are not cells: 1 for CLIP, 0 for SigLIP.
    `encoder`: its name, for messages.
    `boxes`: part -> (B, 4).
    `masks`: part -> (B, s, s) over the view, 0..1, 1 = the part.
    `points`: (B, K, 2), landmarks as x, y in 0..1 of the view; K is 0 when there are none.
    `scheme`: the landmarks' scheme; "" when there are none.
    `unconditioned`: (1, classes + h*w, C), the encoder's tokens of pixel values that are all zero.
    `name`: what errors call this person, such as the name of an input; "" becomes "reference N".
    """

    mode: str
    grid: tuple[int, int]
    classes: int
    encoder: str
    boxes: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    points: Tensor
    scheme: str
    unconditioned: Tensor
    name: str = ""

    @property
    def width(self) -> int:
        """C, the encoder's width."""
        return int(self.unconditioned.shape[-1])

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False, kw_only=True)
class ReferenceFeatures(PartFeatures):
    """The parts that one person gives.

    `tokens`: part -> (B, classes + h*w, C) float32.
    `strengths`: part -> 0..1, above 0.
    """

    tokens: Mapping[str, Tensor]
    strengths: Mapping[str, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetFeatures(PartFeatures):
    """The face that is changed, its parts painted out.

    `tokens`: (B, classes + h*w, C) float32.
    """

    tokens: Tensor
    target: TargetPicture


@dataclass(frozen=True, eq=False)
class FusedFeatures:
    """The value on the FUSED_FEATURES wire: the target's map with the references' parts in it; B pictures.

    `mode`: of MODES.
    `tokens`: (B, classes + h*w, C) float32, conditioned.
    `unconditioned`: (1, classes + h*w, C) float32.
    `grid`, `classes`, `encoder`: as in `PartFeatures`.
    `parts`: part -> (B, h, w), 0..1, how much of each cell the part takes.
    `origin`: (B, h, w) int64, whose share of each cell is the largest: 0 the target, i the i-th reference.
    """

    mode: str
    tokens: Tensor
    unconditioned: Tensor
    grid: tuple[int, int]
    classes: int
    encoder: str
    parts: Mapping[str, Tensor]
    origin: Tensor
    target: TargetPicture

    @property
    def patches(self) -> Tensor:
        """(B, h*w, C): the tokens of the cells, row by row."""
        return self.tokens[:, self.classes :]

    @property
    def width(self) -> int:
        """C, the encoder's width."""
        return int(self.tokens.shape[-1])

    def __len__(self) -> int:
        return len(self.tokens)
