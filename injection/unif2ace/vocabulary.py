"""What the numbers of a sequence mean, and how sequences are laid out (Show-o, arXiv 2408.12528).

Text tokens come first, then ten special ones, then the codes of pictures, and last the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .hybrid_mask import FIRST_IMAGE, PADDING, TEXT

SPECIAL = ("[PAD]", "<|soi|>", "<|eoi|>", "<|sov|>", "<|eov|>", "<|t2i|>", "<|mmu|>", "<|t2v|>", "<|v2v|>", "<|lvg|>")
# Text tokens before a picture, as Show-o was trained; longer text is cut.
LONGEST = 128


class Tokens(NamedTuple):
    """`ids`: (B, T). `kinds`: (B, T), as `hybrid_mask` has them."""

    ids: Tensor
    kinds: Tensor


@dataclass(frozen=True)
class Vocabulary:
    """`text`: tokens of the text tokenizer. `codes`: of the image tokeniser. `end`: the text token that begins and ends
    a text, Phi-1.5's <|endoftext|>."""

    text: int = 50295
    codes: int = 8192
    end: int = 50256

    def special(self, name: str) -> int:
        return self.text + SPECIAL.index(name)

    @property
    def first_code(self) -> int:
        return self.text + len(SPECIAL)

    @property
    def mask(self) -> int:
        return self.first_code + self.codes

    @property
    def size(self) -> int:
        return self.mask + 1


def picture_after_text(
    vocabulary: Vocabulary, texts: Sequence[Sequence[int]], codes: Tensor, longest: int = LONGEST
) -> Tokens:
    """[padding] <|t2i|> end text end <|soi|> codes <|eoi|>, for drawing.

    `texts`: B lists of text tokens; an empty one stands for no wish. `codes`: (B, N), `vocabulary.codes` for a mask.
    """
    v, rows, kinds = vocabulary, [], []
    for text in texts:
        row = [v.special("<|t2i|>"), v.end, *text, v.end]
        row = row if len(row) <= longest + 1 else [*row[:longest], v.end]
        padding = longest + 1 - len(row)
        rows.append([v.special("[PAD]")] * padding + row)
        kinds.append([PADDING] * padding + [TEXT] * len(row))
    before, device = torch.tensor(rows, device=codes.device), codes.device
    image = _image(v, codes)
    return Tokens(
        torch.cat((before, image), 1),
        torch.cat((torch.tensor(kinds, device=device), torch.full_like(image, FIRST_IMAGE)), 1),
    )


def text_after_picture(vocabulary: Vocabulary, codes: Tensor, texts: Sequence[Sequence[int]]) -> Tokens:
    """<|mmu|> <|soi|> codes <|eoi|> end text [padding], for questions. The task's token is part of the image's block.

    `codes`: (B, N). `texts`: B lists of text tokens.
    """
    v, device = vocabulary, codes.device
    task = torch.full((len(codes), 1), v.special("<|mmu|>"), device=device)
    image = torch.cat((task, _image(v, codes)), 1)
    longest = max(map(len, texts))
    rows = [[v.end, *text] + [v.special("[PAD]")] * (longest - len(text)) for text in texts]
    kinds = [[TEXT] * (1 + len(text)) + [PADDING] * (longest - len(text)) for text in texts]
    return Tokens(
        torch.cat((image, torch.tensor(rows, device=device)), 1),
        torch.cat((torch.full_like(image, FIRST_IMAGE), torch.tensor(kinds, device=device)), 1),
    )


def _image(vocabulary: Vocabulary, codes: Tensor) -> Tensor:
    edge = torch.full((len(codes), 1), vocabulary.special("<|soi|>"), device=codes.device)
    # Beside each other in the vocabulary: <|soi|>, <|eoi|>.
    return torch.cat((edge, codes + vocabulary.first_code, edge + 1), 1)
