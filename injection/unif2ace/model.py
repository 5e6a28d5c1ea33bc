"""The whole model: words -> pictures, pictures and a question -> words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .image_tokeniser import ImageTokeniser
from .inference import answer, draw
from .text_tokenizer import TextTokenizer
from .transformer import Transformer
from .vocabulary import LONGEST, Vocabulary

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class UniFaceModel:
    """`side`: of its square pictures, in pixels. `device`: where the networks are."""

    transformer: Transformer
    tokeniser: ImageTokeniser
    vocabulary: Vocabulary
    text: TextTokenizer
    side: int
    device: torch.device

    @torch.no_grad()
    def pictures_of(
        self, prompt: str, count: int, *, guidance: float, steps: int, temperature: float, seed: int,
        progress: Progress | None = None,
    ) -> Tensor:  # fmt: skip
        """(count, side, side, 3) float32 0..1."""
        cells = self.side // self.tokeniser.shape.factor
        generator = torch.Generator().manual_seed(seed)
        codes = draw(
            self.transformer, self.vocabulary, [self.text.encode(prompt)] * count, cells**2, guidance=guidance,
            steps=steps, temperature=temperature, generator=generator, device=self.device,
            progress=progress and (lambda done, total: progress(done, total + 1)),
        )  # fmt: skip
        pictures = self.tokeniser.decode(codes.view(count, cells, cells).to(self.device))
        if progress is not None:
            progress(steps + 1, steps + 1)
        return (pictures.float().permute(0, 2, 3, 1) / 2 + 0.5).clamp(0, 1).cpu()

    @torch.no_grad()
    def answer_about(self, picture: Tensor, question: str, longest: int, progress: Progress | None = None) -> str:
        """`picture`: (H, W, 3) float32 0..1; its middle square is seen. `longest`: of the answer, in tokens."""
        seen = middle_square(picture, self.side).to(self.device)
        codes = self.tokeniser.encode(seen * 2 - 1).flatten(1)
        tokens = answer(
            self.transformer, self.vocabulary, codes, self.text.question(question), longest=longest, progress=progress
        )
        return self.text.decode(tokens)

    def cut_of(self, prompt: str) -> int:
        """How many tokens of `prompt` are too many and cut off; 0 for most."""
        return max(0, len(self.text.encode(prompt)) - (LONGEST - 2))


def middle_square(picture: Tensor, side: int) -> Tensor:
    """(1, 3, side, side) of `picture` (H, W, 3): the shorter side resized, then the middle of the longer."""
    height, width, _ = picture.shape
    scale = side / min(height, width)
    size = (max(side, round(height * scale)), max(side, round(width * scale)))
    resized = functional.interpolate(
        picture.permute(2, 0, 1)[None].float(), size, mode="bicubic", align_corners=False, antialias=True
    ).clamp(0, 1)
    y, x = (size[0] - side) // 2, (size[1] - side) // 2
    return resized[..., y : y + side, x : x + side]
