"""The 112-pixel face that ReliableSwap's generators read an identity from, cut out of an FFHQ-aligned crop."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..faces.identity import SIDE

# As published: pixels of an FFHQ-aligned crop of 256 pixels -> pixels of what ArcFace sees of it. The shift grows with
# the crop.
TRANS_MATRIX = torch.tensor([[1.07695457, -0.03625215, -1.56352194], [0.03625215, 1.07695457, -5.32134629]])
_MADE_FOR = 256


def trans_matrix(size: int) -> Tensor:
    """(2, 3): the published matrix for crops of `size` pixels."""
    return torch.cat([TRANS_MATRIX[:, :2], TRANS_MATRIX[:, 2:] * (size / _MADE_FOR)], 1)


def identity_crop(crops: Tensor, matrix: Tensor | None) -> Tensor:
    """FFHQ-aligned crops (B, 3, s, s), -1..1 -> (B, 3, 112, 112).

    `matrix`: (2, 3), pixels of the crop -> pixels of a picture of the same size, the centres of pixels being whole
        numbers; beyond the crop the picture is 0, a mid-grey. None: the crop is only shrunk.
    """
    if matrix is not None:
        size = crops.shape[-1]
        # Pixels -> -1..1, the centres of the outer pixels.
        scale = torch.tensor([[2 / (size - 1), 0, -1], [0, 2 / (size - 1), -1], [0, 0, 1]], dtype=torch.float64)
        whole = torch.cat([matrix.double().cpu(), torch.tensor([[0, 0, 1]], dtype=torch.float64)])
        inverse = torch.linalg.inv(scale @ whole @ torch.linalg.inv(scale))[:2].to(crops)
        grid = functional.affine_grid(inverse[None].expand(len(crops), 2, 3), list(crops.shape), align_corners=True)
        crops = functional.grid_sample(crops, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return functional.interpolate(crops, (SIDE, SIDE), mode="bilinear", align_corners=True)
