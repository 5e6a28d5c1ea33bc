"""The training loop of the layout generator; restartable. A run that is not cut off is the same for the same seed."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from ...injection.hs_diffusion.layout_net import LayoutNet
from .layouts import Stored
from .samples import Samples

# Steps between two lines of the log and between two states on the disk.
_REPORT, _SAVE = 50, 200


@dataclass(frozen=True)
class Settings:
    """`samples`: how many are seen. `keep`: share of the mean of the weights that stays at each step."""

    samples: int = 15200
    batch: int = 16
    rate: float = 2e-3
    keep: float = 0.995
    seed: int = 0


def train(people: Sequence[Stored], state: Path, settings: Settings, log: Callable[[str], None]) -> LayoutNet:
    """Train on `people`; go on from `state` where it exists. Returns the mean of the last steps' weights."""
    torch.manual_seed(settings.seed)
    net = LayoutNet()
    mean = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=1e-4)
    step, steps = 0, settings.samples // settings.batch
    if state.exists():
        kept = torch.load(state, map_location="cpu", weights_only=True)
        net.load_state_dict(kept["net"])
        mean.load_state_dict(kept["mean"])
        optimizer.load_state_dict(kept["optimizer"])
        step = kept["step"]
    batches = iter(Samples(people, settings.batch, settings.seed + step))
    begin, total = time.monotonic(), 0.0
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * _rate(step / steps)
        loss = loss_of(net, *next(batches))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step, total = step + 1, total + float(loss.detach())
        _average(mean, net, min(settings.keep, step / (step + 10)))
        if step % _REPORT == 0:
            log(f"step {step} of {steps}, loss {total / _REPORT:.4f}, {time.monotonic() - begin:.0f} s")
            total = 0.0
        if step % _SAVE == 0:
            _keep(state, net, mean, optimizer, step)
    _keep(state, net, mean, optimizer, step)
    return mean.eval()


def loss_of(net: LayoutNet, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy of the hidden cells."""
    entropy = -(targets * functional.log_softmax(net(inputs), 1)).sum(1)
    return (entropy * weights).sum() / weights.sum().clamp_min(1)


def save(net: LayoutNet, path: Path) -> None:
    save_file({key: value.half().contiguous() for key, value in net.state_dict().items()}, path)


def _keep(state: Path, net: nn.Module, mean: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    kept = {"net": net.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(kept, state)


def _rate(done: float) -> float:
    """Share of the peak learning rate: a short rise, then a cosine."""
    return min(1.0, done / 0.03 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * done)) + 0.005


@torch.no_grad()
def _average(mean: nn.Module, net: nn.Module, keep: float) -> None:
    for old, new in zip(mean.parameters(), net.parameters(), strict=True):
        old.lerp_(new, 1 - keep)
