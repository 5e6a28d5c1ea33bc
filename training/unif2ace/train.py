"""The training loops of a UniF2ace model in miniature: the image tokeniser, then the transformer on its codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...injection.unif2ace.file import Config
from ...injection.unif2ace.image_tokeniser import ImageTokeniser, TokeniserShape
from ...injection.unif2ace.text_tokenizer import TextTokenizer
from ...injection.unif2ace.transformer import Experts, Shape, Transformer
from ...injection.unif2ace.vocabulary import Vocabulary
from .losses import answering_loss, drawing_loss, tokeniser_loss
from .portraits import Portrait

# Steps between two lines of the log.
_REPORT = 20
Log = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """`side`: of the pictures, in pixels. `tokeniser_steps`, `steps`: of the two networks."""

    side: int = 64
    tokeniser_steps: int = 1500
    steps: int = 3000
    batch: int = 16
    tokeniser_rate: float = 2e-3
    rate: float = 1e-3
    seed: int = 0
    tokeniser: TokeniserShape = field(
        default=TokeniserShape(24, (1, 2, 2, 4), (1, 1, 1, 1), (1, 2, 2, 4), (1, 1, 1, 1), bits=9, groups=8)
    )
    width: int = 192
    layers: int = 6
    heads: int = 6
    experts: Experts = field(default=Experts(number=4, best=2, inner=128, clip=0, face=0))

    def config(self, vocabulary: Vocabulary) -> Config:
        rotated = self.width // self.heads // 2
        shape = Shape(vocabulary.size, self.width, self.layers, self.heads, 4 * self.width, rotated, self.experts)
        return Config(shape, self.tokeniser, vocabulary, self.side)


def train_tokeniser(portraits: Sequence[Portrait], settings: Settings, log: Log) -> ImageTokeniser:
    torch.manual_seed(settings.seed)
    net, random = ImageTokeniser(settings.tokeniser), torch.Generator().manual_seed(settings.seed)
    pictures = torch.stack([portrait.picture for portrait in portraits])

    def loss() -> Tensor:
        return tokeniser_loss(net, pictures[torch.randint(len(pictures), (settings.batch,), generator=random)])

    _descend(net, loss, settings.tokeniser_steps, settings.tokeniser_rate, "tokeniser", log)
    return net.eval()


def train_transformer(
    config: Config, text: TextTokenizer, tokeniser: ImageTokeniser, portraits: Sequence[Portrait], settings: Settings,
    log: Log,
) -> Transformer:  # fmt: skip
    """Drawing and answering in turn, in every step."""
    torch.manual_seed(settings.seed)
    net, random = Transformer(config.transformer), torch.Generator().manual_seed(settings.seed)
    codes = codes_of(tokeniser, portraits)

    def loss() -> Tensor:
        chosen = torch.randint(len(portraits), (settings.batch,), generator=random)
        return batch_loss(net, config.vocabulary, text, [portraits[i] for i in chosen.tolist()], codes[chosen], random)

    _descend(net, loss, settings.steps, settings.rate, "transformer", log)
    return net.eval()


@torch.no_grad()
def codes_of(tokeniser: ImageTokeniser, portraits: Sequence[Portrait]) -> Tensor:
    """(B, N): the image tokens of the portraits."""
    return torch.cat([tokeniser.encode(portrait.picture[None]).flatten(1) for portrait in portraits])


def batch_loss(
    network: Transformer, vocabulary: Vocabulary, text: TextTokenizer, portraits: Sequence[Portrait], codes: Tensor,
    random: torch.Generator,
) -> Tensor:  # fmt: skip
    """(): drawing from the captions, and answering one question of each."""
    drawing = drawing_loss(network, vocabulary, [text.encode(p.caption) for p in portraits], codes, random)
    asked = [p.questions[int(torch.randint(len(p.questions), (), generator=random))] for p in portraits]
    questions, answers = [text.question(q) for q, _ in asked], [text.encode(a) for _, a in asked]
    return drawing + answering_loss(network, vocabulary, codes, questions, answers)


def _descend(net: nn.Module, loss: Callable[[], Tensor], steps: int, rate: float, name: str, log: Log) -> None:
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
    total = 0.0
    for step in range(1, steps + 1):
        value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += float(value.detach())
        if step % _REPORT == 0:
            log(f"{name} step {step} of {steps}, loss {total / _REPORT:.4f}")
            total = 0.0
