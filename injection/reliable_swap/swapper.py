"""What every face swapper does, whichever generator it is: read identities, and give one to a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..faces.fixer_net import FixerNet, full_vector, lower_quarter
from ..faces.iresnet import FaceVectorNet
from .aei_net import AEINet
from .simswap import SimSwapNet
from .source import identity_crop

# Width of ArcFace's vector; the lower face's follows it.
ARCFACE = 512


@dataclass(frozen=True)
class Frame:
    """A square crop with eyes, nose tip and mouth corners at fixed places.

    `size`: its side in pixels. `points`: (5, 2) as tuples, x and y in pixels of the crop.
    """

    size: int
    points: tuple[tuple[float, float], ...]


class Swapper(Protocol):
    """`name`: for messages. `provider`: the networks that make its identities; others' vectors mean nothing to it.

    `width`: of an identity. `lower_face`: whether its last 128 values describe the lower face. `pictures`: whether all
    after the first 512 are a picture of the person, of which several have no mean.
    `source`, `target`: how the faces are cut that it reads identities from, and that it changes.
    """

    name: str
    provider: str
    width: int
    lower_face: bool
    pictures: bool
    source: Frame
    target: Frame

    def identify(self, crops: Tensor) -> Tensor:
        """Crops (B, s, s, 3), 0..1, in the frame `source` -> identities (B, width), the first 512 of length 1."""

    def swap(self, crop: Tensor, identity: Tensor) -> Tensor:
        """A crop (s, s, 3), 0..1, in the frame `target`, and an identity (width,) -> the crop with that face."""


class PublishedSwapper(nn.Module):
    """FaceShifter's or SimSwap's generator with the networks that its identities come from."""

    pictures = False
    matrix: Tensor | None

    def __init__(
        self, generator: AEINet | SimSwapNet, recogniser: FaceVectorNet, fixer: FixerNet | None, matrix: Tensor | None,
        name: str, provider: str, frame: Frame,
    ) -> None:  # fmt: skip
        """`matrix`: as in `identity_crop`. `frame`: of sources and targets."""
        super().__init__()
        self.generator, self.recogniser, self.fixer = generator, recogniser, fixer
        self.register_buffer("matrix", matrix)
        self.name, self.provider, self.source, self.target = name, provider, frame, frame
        self.lower_face = fixer is not None
        self.width = ARCFACE + (fixer.fc.out_features if fixer is not None else 0)

    @torch.no_grad()
    def identify(self, crops: Tensor) -> Tensor:
        faces = identity_crop(self._on_device(crops.movedim(-1, 1)) * 2 - 1, self.matrix)
        identity = functional.normalize(self.recogniser(faces))
        if self.fixer is not None:
            identity = full_vector(identity, self.fixer(lower_quarter(faces)))
        return identity.cpu()

    @torch.no_grad()
    def swap(self, crop: Tensor, identity: Tensor) -> Tensor:
        picture = self._on_device(crop.movedim(-1, 0)[None]) * 2 - 1
        swapped = self.generator(picture, self._on_device(identity[None]))[0].clamp(-1, 1)
        return (swapped.movedim(0, -1).cpu() + 1) / 2

    def _on_device(self, values: Tensor) -> Tensor:
        return values.to(next(self.generator.parameters()).device)
