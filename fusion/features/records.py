"""What travels from the encoder to the sampler: features of parts, and one fused map.

A *view* is the square (released: the whole picture) that the encoder sees. Boxes are y0, x0, y1, x1 in 0..1.
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
    """What the sampler needs to know of the target; B pictures.

    `picture`: (B, H, W, 3) in 0..1, as it was. `painted`: the same with the parts painted out. `view`: (B, 4), where
    the encoder's view lies in the picture. `boxes`: part -> (B, 4) in the *picture*. `mask`: (B, H, W), soft, 1 =
    to be made anew.
    """

    picture: Tensor
    painted: Tensor
    view: Tensor
    boxes: Mapping[str, Tensor]
    mask: Tensor


@dataclass(frozen=True, eq=False)
class PartFeatures:
    """PART_FEATURES: one person's parts as encoder tokens; B pictures.

    `tokens`: part -> (B, classes + h*w, C); for a target the one key is "face". `grid`: h, w. `classes`: how many
    leading tokens are no patches (1 for CLIP, 0 for SigLIP). `encoder`: its name, for messages. `boxes`: part ->
    (B, 4) in the view. `masks`: part -> (B, s, s) in the view, soft, 1 = the part. `points`: (B, K, 2), landmarks in
    the view as x, y in 0..1, of the numbering `scheme` ("" and K = 0 when there are none). `strengths`: part -> 0..1,
    the parts that this person gives; empty for a target. `unconditioned`: (1, classes + h*w, C), the encoder's tokens
    of pixel values that are all zero. `target`: only for the role target. `name`: what errors call a reference, such as
    the input that it came in by; "" is "reference N".
    """

    mode: str
    tokens: Mapping[str, Tensor]
    grid: tuple[int, int]
    classes: int
    encoder: str
    boxes: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    points: Tensor
    scheme: str
    strengths: Mapping[str, float]
    unconditioned: Tensor
    target: TargetPicture | None = None
    name: str = ""

    @property
    def width(self) -> int:
        """C, the encoder's width."""
        return int(self.unconditioned.shape[-1])

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class FusedFeatures:
    """FUSED_FEATURES: the target's map with the references' parts in it; B pictures.

    `tokens`: (B, classes + h*w, C), conditioned. `unconditioned`: (1, classes + h*w, C). `parts`: part -> (B, h, w) in
    0..1, how much of each cell of the view belongs to that part. `origin`: (B, h, w) int64, who gave most of each
    cell: 0 the target, i the i-th reference. `target`: where the view lies, and the target's picture.
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
        """(B, h*w, C), row by row."""
        return self.tokens[:, self.classes :]

    @property
    def width(self) -> int:
        return int(self.tokens.shape[-1])

    def __len__(self) -> int:
        return len(self.tokens)
