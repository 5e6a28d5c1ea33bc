"""The training loop; restartable. A run that was cut off ends as one that was not, to the bit, for the same seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from .model import ReferenceDenoiser
from .noise import TIMESTEPS, levels
from .people import People

Log = Callable[[str], None]
# Steps between two lines of the log and between two states on the disk.
_REPORT, _SAVE = 50, 100
# Shares of all steps in which the learning rate rises and falls.
_RISE, _FALL = 0.03, 0.3
# Of the seeds of two runs and of two steps, so that no two meet.
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


def train(people: People, state: Path, settings: Settings, log: Log, stop: int | None = None) -> ReferenceDenoiser:
    """Train on `people`; go on from `state` where it exists. Returns the mean of the last steps' weights.

    `stop`: the step before which to leave off, None for none.
    """
    torch.manual_seed(settings.seed)
    net = ReferenceDenoiser(settings.widths, settings.seed)
    mean = copy_of(net, settings)
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=1e-4)
    parts: dict[str, Any] = {"net": net, "mean": mean, "optimizer": optimizer}
    first, total, begin = _restored(parts, state), 0.0, time.process_time()
    end = settings.steps if stop is None else stop
    for step in range(first, end):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * _rate(step / settings.steps)
        loss = loss_of(net, people, settings, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        _average(mean, net, min(settings.keep, (step + 1) / (step + 10)))
        total += float(loss.detach())
        if (step + 1) % _REPORT == 0:
            seconds = time.process_time() - begin
            log(f"step {step + 1} of {settings.steps}, loss {total / _REPORT:.4f}, {seconds:.0f} s of the processor")
            total = 0.0
        if (step + 1) % _SAVE == 0:
            _keep(parts, state, step + 1)
    _keep(parts, state, max(first, end))
    return mean.eval()


def loss_of(net: ReferenceDenoiser, people: People, settings: Settings, step: int) -> Tensor:
    """Squared error of the velocity of one batch, which depends on seed and step alone."""
    random = Generator().manual_seed(settings.seed * _APART + step)
    share = float(torch.rand((), generator=random))
    references = 0 if share < settings.nobody else 2 if share < settings.nobody + settings.two else 1
    pictures, others = people.draw(settings.batch, references, settings.single, random)
    timesteps = torch.randint(TIMESTEPS, (settings.batch,), generator=random)
    noise = torch.randn(pictures.shape, generator=random)
    a, s = (factor[timesteps].reshape(-1, 1, 1, 1) for factor in levels())
    net.set_references(others)
    return (net(a * pictures + s * noise, timesteps) - (a * noise - s * pictures)).square().mean()


def copy_of(net: ReferenceDenoiser, settings: Settings) -> ReferenceDenoiser:
    """Built anew, because attention processors share their bank with the net that they were made for."""
    other = ReferenceDenoiser(settings.widths, settings.seed)
    other.load_state_dict(net.state_dict())
    return other


def _restored(parts: dict[str, Any], state: Path) -> int:
    """The step to go on with."""
    if not state.exists():
        return 0
    stored = torch.load(state, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return int(stored["step"])


def _keep(parts: dict[str, Any], state: Path, step: int) -> None:
    """Written beside the old state first, so that a run that is cut off here loses nothing."""
    new = state.with_suffix(".new")
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, new)
    new.replace(state)


def _rate(done: float) -> float:
    """Share of the peak learning rate."""
    return min(1.0, done / _RISE + 0.02, (1 - done) / _FALL + 0.005)


@torch.no_grad()
def _average(mean: nn.Module, net: nn.Module, keep: float) -> None:
    for old, new in zip(mean.parameters(), net.parameters(), strict=True):
        old.lerp_(new, 1 - keep)
