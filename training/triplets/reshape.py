"""Where the target's own face reaches beyond the new one: found by a code for each pixel, dropped and filled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...fusion.dilation import dilate_area
from ...fusion.push_pull import fill_holes

# What a pixel is in both pictures, as published: 4 or 8 for the target less 1 or 2 for the reenacted face.
BLUE, BOTH_FACE, BOTH_GROUND, GREEN = 2, 3, 6, 7
# The blue area is widened by a window of 5 x 5 pixels.
_REACH = 2


def region_code(target_face: Tensor, reenacted_face: Tensor) -> Tensor:
    """Two (H, W) bool, True where the target and the reenacted picture show a face -> (H, W) int64.

    3: both do; 6: neither; 2, blue: the target alone; 7, green: the reenacted one alone.
    """
    return torch.where(target_face, 4, 8) - torch.where(reenacted_face, 1, 2)


def dropped(code: Tensor, hair: Tensor) -> Tensor:
    """(H, W) bool: the blue area, widened. `hair`: (H, W) bool, which the blend takes from the target anyway."""
    return dilate_area((code == BLUE) & ~hair, _REACH)


def reshaped(picture: Tensor, drop: Tensor, code: Tensor) -> Tensor:
    """The picture (H, W, 3) with the area `drop` filled, softly, from what lies around it and is not a face.

    The published program paints it white and asks an inpainting network.
    """
    ground = (code == BOTH_GROUND) & ~drop
    if not bool(drop.any()) or not bool(ground.any()):
        return picture
    soft = functional.avg_pool2d(functional.pad(drop[None].float(), (1,) * 4, mode="replicate"), 3, 1)[0]
    return torch.lerp(picture, fill_holes(picture, ground.float()), soft[..., None])
