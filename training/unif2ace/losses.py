"""The losses of one batch: of the image tokeniser, of drawing (D3Diff), and of answering (the next token)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...injection.unif2ace.image_tokeniser import ImageTokeniser
from ...injection.unif2ace.transformer import ANSWER, DRAW, Transformer
from ...injection.unif2ace.vocabulary import Vocabulary, picture_after_text, text_after_picture
from .d3diff import ALPHA, d3diff_loss, mask_tokens

# Share of drawings that are learnt without their words, for guidance (Show-o).
WORDLESS = 0.1
# Weight of the token experts' balance loss; UniF2ace's is not public, Switch Transformer's is 0.01.
BALANCE = 0.01
# Weights of a code's distance from its signs, and of the use of all codes: with less of it one code serves everywhere.
_COMMIT, _USE = 0.02, 0.5


def tokeniser_loss(net: ImageTokeniser, pictures: Tensor) -> Tensor:
    """(): `pictures` (B, 3, S, S) -1..1 through their codes; the gradient passes the signs (straight through)."""
    cells = net.encoder(pictures)
    signs = torch.where(cells > 0, 1.0, -1.0)
    error = (net.decoder(cells + (signs - cells).detach()) - pictures).abs().mean()
    chances = (2 * cells).sigmoid()
    # 0 where every bit of a cell is sure and over the batch as often 1 as -1.
    unused = _entropy(chances).mean() + math.log(2) - _entropy(chances.mean((0, 2, 3))).mean()
    return error + _COMMIT * (cells - signs).square().mean() + _USE * unused


def _entropy(chance: Tensor) -> Tensor:
    chance = chance.clamp(1e-6, 1 - 1e-6)
    return -(chance * chance.log() + (1 - chance) * (1 - chance).log())


def drawing_loss(
    network: Transformer, vocabulary: Vocabulary, texts: Sequence[Sequence[int]], codes: Tensor,
    generator: torch.Generator, alpha: float = ALPHA,
) -> Tensor:  # fmt: skip
    """(): D3Diff of `codes` (B, N) after `texts`, B lists of text tokens, at a share of masks drawn for each."""
    drawn = torch.rand(2, len(codes), generator=generator)
    share = (drawn[0] * math.pi / 2).cos().clamp(1e-3, 1 - 1e-3).to(codes.device)
    hidden_codes = mask_tokens(codes, share, vocabulary.codes, generator)
    kept = [[] if wordless < WORDLESS else text for text, wordless in zip(texts, drawn[1].tolist(), strict=True)]
    tokens = picture_after_text(vocabulary, kept, hidden_codes, longest=max(map(len, texts)) + 2)
    states = network(tokens.ids, tokens.kinds, DRAW, generator=generator)
    logits = network.logits(states.hidden[:, -codes.shape[1] - 1 : -1])[..., vocabulary.first_code : vocabulary.mask]
    loss = d3diff_loss(logits, codes, hidden_codes == vocabulary.codes, share, alpha)
    return loss + BALANCE * states.balance


def answering_loss(
    network: Transformer, vocabulary: Vocabulary, codes: Tensor, questions: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
) -> Tensor:  # fmt: skip
    """(): cross-entropy of the tokens of B `answers` and of the end behind them, after `questions` about `codes`."""
    texts = [[*question, *reply, vocabulary.end] for question, reply in zip(questions, answers, strict=True)]
    tokens = text_after_picture(vocabulary, codes, texts)
    states = network(tokens.ids, tokens.kinds, ANSWER)
    longest = max(map(len, texts))
    logits = network.logits(states.hidden[:, -longest - 1 : -1])
    places = torch.arange(longest, device=codes.device)
    begins, ends = (torch.tensor([len(t) for t in rows], device=codes.device)[:, None] for rows in (questions, texts))
    wanted = tokens.ids[:, -longest:].masked_fill((places < begins) | (places >= ends), -100)
    return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten()) + BALANCE * states.balance
