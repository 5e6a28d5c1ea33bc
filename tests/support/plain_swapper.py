"""A swapper without networks: who somebody is, is the mean colour of the aligned crop."""

from __future__ import annotations

import torch
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.injection.reliable_swap.swapper import ARCFACE, Frame
from torch import Tensor
from torch.nn import functional

SIDE = 64


class PlainSwapper:
    """`lower`: whether 128 values of the lower half follow."""

    pictures = False

    def __init__(self, lower: bool = True, provider: str = "mean colours") -> None:
        frame = Frame(SIDE, tuple(map(tuple, (FFHQ_POINTS * (SIDE / 512)).tolist())))
        self.name, self.provider, self.lower_face = "a plain swapper", provider, lower
        self.width, self.source, self.target = ARCFACE + (128 if lower else 0), frame, frame
        self.swapped: list[Tensor] = []

    def identify(self, crops: Tensor) -> Tensor:
        vector = torch.zeros(len(crops), self.width)
        # Without their common grey, so that people differ in direction.
        vector[:, :3] = functional.normalize(_colour(crops) - _colour(crops).mean(1, keepdim=True))
        if self.lower_face:
            vector[:, ARCFACE : ARCFACE + 3] = _colour(crops[:, SIDE // 2 :])
        return vector

    def swap(self, crop: Tensor, identity: Tensor) -> Tensor:
        self.swapped.append(identity)
        return (crop.flip(1) + 0.3 * identity[:3]).clamp(0, 1)


def _colour(crops: Tensor) -> Tensor:
    return crops.mean((1, 2))
