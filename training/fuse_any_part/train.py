"""Training FuseAnyPart (arXiv 2410.22771): a photograph is made again from parts of others of the same person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ...fusion.features.records import RELEASED_PARTS
from ..core.loop import train as run
from ..core.options import Options, accelerator_for
from ..core.plan import Log, Mean, Part, Plan, Terms
from ..face_fusion.noise import TIMESTEPS, levels
from .model import FusedDenoiser
from .photographs import Stored, fused_tokens, read

# What is dropped together, in five cases of DROP each, as published.
DROPS = (
    frozenset(("face", *RELEASED_PARTS)), frozenset(("eyes", "nose", "mouth")), frozenset(("nose", "mouth")),
    frozenset(("eyes", "mouth")), frozenset(("eyes", "nose")),
)  # fmt: skip
DROP = 0.04
_APART = 1_000_003
# Steps between two checkpoints, as published.
_SAVE = 1000


@dataclass(frozen=True)
class Settings:
    """As published but for the number of steps, which was 200 epochs.

    `kind`: A or B, where features are added; the published weights are A's, the published program trains B.
    `keep`: share of the mean of the weights that stays at each step; 0, as published: no mean.
    """

    kind: str = "B"
    steps: int = 100_000
    batch: int = 8
    rate: float = 1e-4
    decay: float = 1e-2
    keep: float = 0.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Batch:
    """`rows`: (N, 9, h, w). `noise`: (N, 4, h, w), what is to be predicted. `timesteps`: (N,). `tokens`: (N, n, C)."""

    rows: Tensor
    noise: Tensor
    timesteps: Tensor
    tokens: Tensor


def train(
    net: FusedDenoiser, mean: FusedDenoiser | None, people: Stored, state: Path, settings: Settings, log: Log,
    stop: int | None = None, options: Options | None = None, sheet: Callable[[FusedDenoiser], Tensor] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> FusedDenoiser:  # fmt: skip
    """Train `net` in place on `people`; go on from `state` where it exists. Returns the mean, where there is one.

    `mean`: a second network with the weights of `net`, where settings keep a mean.
    `stop`: the step before which to leave off, None for none. `sheet`: of what is returned, as `Plan.sheet`.
    """
    options = options or Options()
    # Attention to text is never computed.
    accelerator = accelerator_for(options, skips=True)
    torch.manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=settings.decay)
    part = Part(net.train(), optimizer, mean=None if mean is None else Mean(mean, settings.keep))
    result = mean or net

    def batch(number: int) -> Batch:
        first = number * accelerator.num_processes + accelerator.process_index
        own = batch_of(people, settings.batch, settings.seed, first)
        return Batch(*(value.to(accelerator.device) for value in vars(own).values()))

    def losses(nets: Mapping[str, nn.Module], one: Batch) -> Iterator[tuple[str, Terms]]:
        predicted = nets["net"](one.rows, one.timesteps, one.tokens)
        yield "net", {"loss": (predicted - one.noise).square().mean()}

    plan = Plan(
        "FuseAnyPart net", {"net": part}, settings.steps, batch, losses, settings=settings, facts=facts or {},
        save=_SAVE, sheet=None if sheet is None else lambda: sheet(result),
    )  # fmt: skip
    run(plan, state, options, accelerator, log, stop)
    return result.eval().cpu()


def batch_of(people: Stored, count: int, seed: int, number: int) -> Batch:
    """The batch of that number; it depends on nothing else. Raises ValueError for a file that is damaged."""
    random = Generator().manual_seed(seed * _APART + number)
    rows = [_one(people, random) for _ in range(count)]
    latents, masked, masks, tokens = (torch.stack(column) for column in zip(*rows, strict=True))
    timesteps = torch.randint(TIMESTEPS, (count,), generator=random)
    noise, under = (torch.randn(latents.shape, generator=random) for _ in range(2))
    a, s = (factor[timesteps].reshape(-1, 1, 1, 1) for factor in levels())
    masked = masked * (1 - masks) + under * masks
    return Batch(torch.cat([a * latents + s * noise, masked, masks], 1), noise, timesteps, tokens)


def _one(people: Stored, random: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latent, painted latent, mask and fused tokens of one photograph."""
    person = people.people[_below(len(people.people), random)]
    at = _below(len(person), random)
    others = [file for i, file in enumerate(person) if i != at]
    target = read(person[at])
    givers = {part: read(others[_below(len(others), random)]) for part in RELEASED_PARTS}
    dropped = drop_of(float(torch.rand((), generator=random)))
    tokens = fused_tokens(target, givers, people.empty, people.grid, dropped)
    return target.latent, target.painted, target.mask, tokens


def drop_of(chance: float) -> frozenset[str]:
    """What `chance`, 0..1, drops."""
    case = int(chance / DROP)
    return DROPS[case] if case < len(DROPS) else frozenset()


def _below(number: int, random: Generator) -> int:
    return int(torch.randint(number, (), generator=random))
