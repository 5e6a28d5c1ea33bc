"""A UniF2ace model in miniature: the image tokeniser, then the transformer on its codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ...injection.unif2ace.file import Config
from ...injection.unif2ace.image_tokeniser import ImageTokeniser, TokeniserShape
from ...injection.unif2ace.text_tokenizer import TextTokenizer
from ...injection.unif2ace.transformer import Experts, Shape, Transformer
from ...injection.unif2ace.vocabulary import Vocabulary
from ..core.loop import train
from ..core.options import Options, accelerator_for
from ..core.plan import Log, Part, Plan, Terms
from ..core.rate import rise_and_cosine
from .losses import answering_loss, drawing_loss, tokeniser_loss
from .portraits import Portrait

# The tokeniser of pictures of 64 pixels: 8 x 8 codes of 9 bits.
TOKENISER = TokeniserShape(24, (1, 2, 2, 4), (1, 1, 1, 1), (1, 2, 2, 4), (1, 1, 1, 1), bits=9, groups=8)
# Experts that a token asks, where there are so many.
_BEST = 2
_APART, _REPORT = 1_000_003, 20


@dataclass(frozen=True)
class Settings:
    """`side`: of the pictures, in pixels. `tokeniser_steps`, `steps`: of the two networks.

    `token_experts`: how many a layer has, of `expert_width` channels each. `sequence_experts`: how many a sequence
    asks. 0: none.
    """

    side: int = 64
    tokeniser_steps: int = 1500
    steps: int = 3000
    batch: int = 16
    tokeniser_rate: float = 2e-3
    rate: float = 1e-3
    seed: int = 0
    width: int = 192
    layers: int = 6
    heads: int = 6
    token_experts: int = 4
    expert_width: int = 128
    sequence_experts: int = 2

    def config(self, vocabulary: Vocabulary, tokeniser: TokeniserShape = TOKENISER) -> Config:
        best = min(_BEST, self.token_experts)
        experts = Experts(self.token_experts, best, self.expert_width, 0, 0, self.sequence_experts)
        rotated = self.width // self.heads // 2
        shape = Shape(vocabulary.size, self.width, self.layers, self.heads, 4 * self.width, rotated, experts)
        return Config(shape, tokeniser, vocabulary, self.side)


@dataclass(frozen=True, eq=False)
class Batch:
    """`portraits` with their image tokens `codes` (B, N); what else is drawn comes from `random`."""

    portraits: Sequence[Portrait]
    codes: Tensor
    random: Generator


class _TokeniserError(nn.Module):
    def __init__(self, net: ImageTokeniser) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> Tensor:
        return tokeniser_loss(self.net, pictures)


class _DrawingAndAnswering(nn.Module):
    def __init__(self, net: Transformer, vocabulary: Vocabulary, text: TextTokenizer) -> None:
        super().__init__()
        self.net, self._vocabulary, self._text = net, vocabulary, text

    def forward(self, batch: Batch) -> Tensor:
        return loss_of(self.net, self._vocabulary, self._text, batch)


def train_tokeniser(
    portraits: Sequence[Portrait], state: Path, settings: Settings, log: Log, shape: TokeniserShape = TOKENISER,
    stop: int | None = None, options: Options | None = None, facts: Mapping[str, Any] | None = None,
) -> ImageTokeniser:  # fmt: skip
    """Goes on from `state` where it exists. `stop`: the step before which to leave off, None for none."""
    options = options or Options()
    accelerator = accelerator_for(options)
    torch.manual_seed(settings.seed)
    net = ImageTokeniser(shape)
    pictures = torch.stack([portrait.picture for portrait in portraits])

    def batch(number: int) -> Tensor:
        random = _random(settings, number * accelerator.num_processes + accelerator.process_index)
        return pictures[torch.randint(len(pictures), (settings.batch,), generator=random)].to(accelerator.device)

    def losses(nets: Mapping[str, nn.Module], one: Tensor) -> Iterator[tuple[str, Terms]]:
        yield "tokeniser", {"loss": nets["tokeniser"](one)}

    part = _part(_TokeniserError(net), settings.tokeniser_rate, settings.tokeniser_steps)
    plan = Plan(
        "image tokeniser", {"tokeniser": part}, settings.tokeniser_steps, batch, losses, settings=settings,
        facts=facts or {}, title="tokeniser", report=_REPORT,
    )  # fmt: skip
    train(plan, state, options, accelerator, log, stop)
    return net.eval().cpu()


def train_transformer(
    config: Config, text: TextTokenizer, tokeniser: ImageTokeniser, portraits: Sequence[Portrait], state: Path,
    settings: Settings, log: Log, stop: int | None = None, options: Options | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Transformer:  # fmt: skip
    """Drawing and answering in turn, in every step. `state`, `stop`: as for `train_tokeniser`."""
    options = options or Options()
    # Experts that nobody asks in a step are left out.
    accelerator = accelerator_for(options, skips=True)
    torch.manual_seed(settings.seed)
    net = Transformer(config.transformer)
    codes = codes_of(tokeniser, portraits)

    def batch(number: int) -> Batch:
        random = _random(settings, number * accelerator.num_processes + accelerator.process_index)
        chosen = torch.randint(len(portraits), (settings.batch,), generator=random)
        return Batch([portraits[i] for i in chosen.tolist()], codes[chosen].to(accelerator.device), random)

    def losses(nets: Mapping[str, nn.Module], one: Batch) -> Iterator[tuple[str, Terms]]:
        yield "transformer", {"loss": nets["transformer"](one)}

    part = _part(_DrawingAndAnswering(net, config.vocabulary, text), settings.rate, settings.steps)
    plan = Plan(
        "UniF2ace transformer", {"transformer": part}, settings.steps, batch, losses, settings=settings,
        facts=facts or {}, title="transformer", report=_REPORT,
    )  # fmt: skip
    train(plan, state, options, accelerator, log, stop)
    return net.eval().cpu()


@torch.no_grad()
def codes_of(tokeniser: ImageTokeniser, portraits: Sequence[Portrait]) -> Tensor:
    """(B, N): the image tokens of the portraits."""
    return torch.cat([tokeniser.encode(portrait.picture[None]).flatten(1) for portrait in portraits])


def loss_of(network: Transformer, vocabulary: Vocabulary, text: TextTokenizer, batch: Batch) -> Tensor:
    """(): drawing from the captions, and answering one question of each."""
    captions = [text.encode(portrait.caption) for portrait in batch.portraits]
    drawing = drawing_loss(network, vocabulary, captions, batch.codes, batch.random)
    asked = [p.questions[int(torch.randint(len(p.questions), (), generator=batch.random))] for p in batch.portraits]
    questions, answers = [text.question(q) for q, _ in asked], [text.encode(a) for _, a in asked]
    return drawing + answering_loss(network, vocabulary, batch.codes, questions, answers)


def _random(settings: Settings, number: int) -> Generator:
    """From which all that is drawn for the batch of that number comes."""
    return Generator().manual_seed(settings.seed * _APART + number)


def _part(net: nn.Module, rate: float, steps: int) -> Part:
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.01)
    return Part(net, optimizer, lambda step: rise_and_cosine(step / steps), clip=1.0)
