"""Text -> picture codes, and picture codes with a question -> text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from .hybrid_mask import TEXT
from .masked_sampling import guided, sample_masked
from .transformer import ANSWER, DRAW, Cache, Transformer
from .vocabulary import Vocabulary, picture_after_text, text_after_picture

# Called with the steps done and all of them.
Progress = Callable[[int, int], None]


@torch.no_grad()
def draw(
    network: Transformer, vocabulary: Vocabulary, texts: Sequence[Sequence[int]], cells: int, *,
    guidance: float = 5.0, steps: int = 18, temperature: float = 1.0, generator: torch.Generator | None = None,
    device: torch.device | str = "cpu", progress: Progress | None = None,
) -> Tensor:  # fmt: skip
    """(B, cells), the codes of pictures that fit `texts`, on the CPU.

    `texts`: B lists of text tokens. `guidance`, `temperature`: as in `masked_sampling`. `generator`: on the CPU, so
    that one seed gives one picture on every device.
    """
    texts = [*texts, *([] for _ in texts)] if guidance else list(texts)
    done = 0

    def logits_of(codes: Tensor) -> Tensor:
        nonlocal done
        tokens = picture_after_text(vocabulary, texts, codes.repeat(2, 1) if guidance else codes)
        hidden = network(tokens.ids.to(device), tokens.kinds.to(device), DRAW, generator=generator).hidden
        logits = network.logits(hidden[:, -cells - 1 : -1])[..., vocabulary.first_code : vocabulary.mask]
        logits = logits.float().cpu()
        done += 1
        if progress is not None:
            progress(done, steps)
        if not guidance:
            return logits
        wish, none = logits.chunk(2)
        return guided(wish, none, guidance)

    count = len(texts) // 2 if guidance else len(texts)
    masked = torch.full((count, cells), vocabulary.codes)
    return sample_masked(logits_of, masked, vocabulary.codes, steps, temperature, generator)


@torch.no_grad()
def answer(
    network: Transformer, vocabulary: Vocabulary, codes: Tensor, question: Sequence[int], *, longest: int = 100,
    features: Mapping[str, Tensor] | None = None, progress: Progress | None = None,
) -> list[int]:  # fmt: skip
    """The likeliest text tokens, at most `longest`, after `question` about the picture `codes` (1, N).

    `features`: as in `Transformer.forward`.
    """
    tokens, cache, words = text_after_picture(vocabulary, codes, [question]), Cache(), []
    ids, kinds = tokens.ids, tokens.kinds
    for step in range(longest):
        hidden = network(ids, kinds, ANSWER, features, cache).hidden[:, -1]
        ids = network.logits(hidden)[:, : vocabulary.text].argmax(-1, keepdim=True)
        if progress is not None:
            progress(step + 1, longest)
        kinds = torch.full_like(ids, TEXT)
        if int(ids) == vocabulary.end:
            break
        words.append(int(ids))
    return words
