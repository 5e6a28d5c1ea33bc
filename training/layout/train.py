"""Training the layout generator; the same for the same seed, also when it is cut off."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from ...injection.hs_diffusion.layout_net import LayoutNet
from ..core.loop import train as run
from ..core.options import Options, accelerator_for, apart
from ..core.plan import Log, Mean, Part, Plan, Terms
from ..core.rate import rise_and_cosine
from .layouts import Stored
from .samples import Samples


@dataclass(frozen=True)
class Settings:
    """`samples`: how many are seen. `keep`: share of the mean of the weights that stays at each step."""

    samples: int = 15200
    batch: int = 16
    rate: float = 2e-3
    keep: float = 0.995
    seed: int = 0


def train(
    people: Sequence[Stored], state: Path, settings: Settings, log: Log, stop: int | None = None,
    options: Options | None = None, sheet: Callable[[LayoutNet], Tensor] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> LayoutNet:  # fmt: skip
    """Train on `people`; go on from `state` where it exists. Returns the mean of the last steps' weights.

    `stop`: the step before which to leave off, None for none. `sheet`: of the mean, as `Plan.sheet`.
    """
    options = options or Options()
    accelerator = accelerator_for(options)
    torch.manual_seed(settings.seed)
    net = LayoutNet()
    mean = copy.deepcopy(net)
    steps = settings.samples // settings.batch
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate, weight_decay=1e-4)
    part = Part(net, optimizer, lambda step: rise_and_cosine(step / steps), 1.0, Mean(mean, settings.keep, late=10))
    samples = Samples(people, settings.batch, apart(settings.seed))

    def losses(nets: Mapping[str, nn.Module], batch: tuple[Tensor, Tensor, Tensor]) -> Iterator[tuple[str, Terms]]:
        yield "net", {"loss": loss_of(nets["net"], *batch)}

    plan = Plan(
        "layout generator", {"net": part}, steps, lambda number: [t.to(accelerator.device) for t in next(samples)],
        losses, {"samples": samples}, settings, facts or {}, sheet=None if sheet is None else lambda: sheet(mean),
    )  # fmt: skip
    run(plan, state, options, accelerator, log, stop)
    return mean.eval().cpu()


def loss_of(net: nn.Module, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy of the hidden cells."""
    entropy = -(targets * functional.log_softmax(net(inputs), 1)).sum(1)
    return (entropy * weights).sum() / weights.sum().clamp_min(1)


def save(net: LayoutNet, path: Path) -> None:
    save_file({key: value.half().contiguous() for key, value in net.state_dict().items()}, path)

