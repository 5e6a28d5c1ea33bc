"""FaceX's region features: encoder patches at a finer resolution, averaged inside each region's mask.

arXiv 2401.00551, section 3.2: a learnable pyramid recovers spatial detail that a ViT's uniform grid lacks, then mask
pooling gives one token for each region. The pyramid's layers are not published; ours is the simple feature pyramid of
ViTDet (arXiv 2203.16527) with three levels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...detectors.parts import Face, FaceParts
from ...detectors.progress import Progress, counted
from ...fusion.regions.areas import LAYERS, region_area
from ...fusion.regions.tasks import REGIONS

# Cells of the pyramid's finest level per side of a patch.
FINEST = 4


class FeaturePyramid(nn.Module):
    """Patches (B, `width`, h, w) -> (B, `inner`, 4h, 4w): the sum of three levels, 1x, 2x and 4x as fine.

    Each level is enlarged by transposed convolutions, then goes through a 1x1 and a 3x3 convolution with LayerNorms.
    """

    def __init__(self, width: int, inner: int, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        double = {"kernel_size": 2, "stride": 2, **factory}
        self.enlarge = nn.ModuleList(
            [
                nn.Identity(),
                ops.ConvTranspose2d(width, inner, **double),
                nn.Sequential(
                    ops.ConvTranspose2d(width, inner, **double), nn.GELU(), ops.ConvTranspose2d(inner, inner, **double)
                ),
            ]
        )
        self.lateral = nn.ModuleList(ops.Conv2d(c, inner, 1, **factory) for c in (width, inner, inner))
        self.norm = nn.ModuleList(ops.LayerNorm(inner, **factory) for _ in range(3))
        self.smooth = nn.ModuleList(ops.Conv2d(inner, inner, 3, padding=1, **factory) for _ in range(3))

    def forward(self, patches: Tensor) -> Tensor:
        size = (FINEST * patches.shape[2], FINEST * patches.shape[3])
        levels = []
        for enlarge, lateral, norm, smooth in zip(self.enlarge, self.lateral, self.norm, self.smooth, strict=True):
            level = norm(lateral(enlarge(patches)).movedim(1, -1)).movedim(-1, 1)
            levels.append(functional.interpolate(smooth(functional.gelu(level)), size, mode="nearest"))
        return levels[0] + levels[1] + levels[2]


class RegionTokens(nn.Module):
    """Patch tokens (B, h*w, `width`) and masks (B, R, H, W) -> tokens (B, R, `inner`) and `present` (B, R).

    `present`: bool, whether the region has pixels; one without gets its learned `empty` token. Tokens are float32,
    whatever the weights are. 13,381,120 parameters at FaceX's sizes (ViT-L/14, width 1024, eight regions, inner 512):
    54 MB in fp32, 27 MB in fp16.
    """

    def __init__(
        self, width: int = 1024, inner: int = 512, regions: int = len(REGIONS), *, ops: Any = nn, **factory: Any
    ) -> None:
        super().__init__()
        self._casts = ops is not nn
        self.pyramid = FeaturePyramid(width, inner, ops=ops, **factory)
        self.empty = nn.Parameter(torch.zeros(regions, inner, **factory))

    def forward(self, patches: Tensor, grid: tuple[int, int], masks: Tensor) -> tuple[Tensor, Tensor]:
        patches = patches.transpose(1, 2).unflatten(2, grid)
        features = self.pyramid(patches if self._casts else patches.to(self.empty.dtype)).float()
        masks = functional.interpolate(masks.to(features), features.shape[-2:], mode="area")
        tokens, present = mask_pool(features, masks)
        return torch.where(present[..., None], tokens, self.empty.to(tokens)), present


def mask_pool(features: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted mean of features under each mask, and which masks have any weight.

    `features`: (B, C, h, w). `masks`: (B, R, h, w), soft, >= 0.
    Returns (B, R, C), 0 under a mask without weight, and (B, R) bool.
    """
    weights = masks.sum((-2, -1))
    sums = torch.einsum("bchw,brhw->brc", features, masks)
    present = weights > 0
    return sums / torch.where(present, weights, torch.ones_like(weights))[..., None], present


def disjoint_masks(parts: FaceParts, progress: Progress | None = None) -> Tensor:
    """(B, 8, H, W) float32 0..1: the regions of each picture's chosen face in the order of REGIONS.

    No two overlap: what lies above a region, such as an eye on the skin, is not part of it. Black where there is no
    face, and where the face lacks the region: landmarks alone give neither ears, hair nor background. `progress` is
    called after each picture.
    """
    return torch.stack([_masks(parts.face(i), parts.size) for i in counted(range(len(parts)), progress)])


def _masks(face: Face | None, size: tuple[int, int]) -> Tensor:
    masks = torch.zeros(len(REGIONS), *size)
    free = torch.ones(size)
    for region in reversed(LAYERS):
        area = None if face is None else region_area(face, region, size)
        if area is not None:
            masks[REGIONS.index(region)] = area * free
            free = free * (1 - area)
    return masks
