"""Training the denoiser and its projections; what a batch is depends on the seed and its number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ..core.loop import train as run
from ..core.options import Options, accelerator_for
from ..core.plan import Log, Mean, Part, Plan, Terms
from .model import ReferenceDenoiser
from .noise import TIMESTEPS, levels
from .people import People

# Steps between two checkpoints.
_SAVE = 100
# Shares of all steps in which the learning rate rises and falls.
_RISE, _FALL = 0.03, 0.3
# Of the seeds of two runs and of two batches, so that no two meet.
_APART = 1_000_003


@dataclass(frozen=True)
class Settings:
    """Of the miniature.

    `width`: channels of the finest level; the three levels have 1, 2 and 3 times as many.
    `single`: share of pictures of people with one photograph. `nobody`, `two`: shares of steps without references and
    with two; in all others there is one. `keep`: share of the mean of the weights that stays at each step.
    """

    steps: int = 2400
    batch: int = 8
    rate: float = 1e-3
    width: int = 32
    single: float = 0.3
    nobody: float = 0.15
    two: float = 0.25
    keep: float = 0.995
    seed: int = 0

    @property
    def widths(self) -> tuple[int, ...]:
        return self.width, 2 * self.width, 3 * self.width


@dataclass(frozen=True, eq=False)
class Batch:
    """`noisy`, `wanted`: (N, 4, h, w). `timesteps`: (N,). `references`: as `ReferenceDenoiser.set_references`."""

    noisy: Tensor
    wanted: Tensor
    timesteps: Tensor
    references: Tensor | None


def train(
    people: People, state: Path, settings: Settings, log: Log, stop: int | None = None, options: Options | None = None,
    sheet: Callable[[ReferenceDenoiser], Tensor] | None = None, facts: Mapping[str, Any] | None = None,
) -> ReferenceDenoiser:  # fmt: skip
    """Train on `people`; go on from `state` where it exists. Returns the mean of the last steps' weights.

    `stop`: the step before which to leave off, None for none. `sheet`: of the mean, as `Plan.sheet`.
    """
    options = options or Options()
    # Steps without references leave the projections out.
    accelerator = accelerator_for(options, skips=True)
    torch.manual_seed(settings.seed)
    net = ReferenceDenoiser(settings.widths, settings.seed)
    mean = copy_of(net, settings)
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=1e-4)
    part = Part(net, optimizer, lambda step: _rate(step / settings.steps), 1.0, Mean(mean, settings.keep))

    def batch(number: int) -> Batch:
        whole = batch_of(people, settings, number, accelerator.num_processes)
        own = slice(accelerator.process_index * settings.batch, (accelerator.process_index + 1) * settings.batch)
        return Batch(*(None if v is None else v[own].to(accelerator.device) for v in vars(whole).values()))  # type: ignore[arg-type]

    def losses(nets: Mapping[str, nn.Module], one: Batch) -> Iterator[tuple[str, Terms]]:
        net.set_references(one.references)
        yield "net", {"loss": (nets["net"](one.noisy, one.timesteps) - one.wanted).square().mean()}

    plan = Plan(
        "Face Fusion net", {"net": part}, settings.steps, batch, losses, settings=settings, facts=facts or {},
        save=_SAVE, sheet=None if sheet is None else lambda: sheet(mean),
    )  # fmt: skip
    run(plan, state, options, accelerator, log, stop)
    return mean.eval().cpu()


def batch_of(people: People, settings: Settings, number: int, processes: int = 1) -> Batch:
    """The batch of that number for all processes together."""
    random = Generator().manual_seed(settings.seed * _APART + number)
    count = settings.batch * processes
    share = float(torch.rand((), generator=random))
    references = 0 if share < settings.nobody else 2 if share < settings.nobody + settings.two else 1
    pictures, others = people.draw(count, references, settings.single, random)
    timesteps = torch.randint(TIMESTEPS, (count,), generator=random)
    noise = torch.randn(pictures.shape, generator=random)
    a, s = (factor[timesteps].reshape(-1, 1, 1, 1) for factor in levels())
    return Batch(a * pictures + s * noise, a * noise - s * pictures, timesteps, others)


def loss_of(net: ReferenceDenoiser, people: People, settings: Settings, number: int) -> Tensor:
    """Squared error of the velocity of one batch."""
    batch = batch_of(people, settings, number)
    net.set_references(batch.references)
    return (net(batch.noisy, batch.timesteps) - batch.wanted).square().mean()


def copy_of(net: ReferenceDenoiser, settings: Settings) -> ReferenceDenoiser:
    """Built anew, because attention processors share their bank with the net that they were made for."""
    other = ReferenceDenoiser(settings.widths, settings.seed)
    other.load_state_dict(net.state_dict())
    return other


def _rate(done: float) -> float:
    """Share of the peak learning rate."""
    return min(1.0, done / _RISE + 0.02, (1 - done) / _FALL + 0.005)
