"""What a trainer hands to the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

# Terms of a loss by name.
Terms = Mapping[str, Tensor]
Log = Callable[[str], None]


class Stream(Protocol):
    """Data that can go on exactly where they were."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True, eq=False)
class Mean:
    """The mean of a network's last weights. After n steps the share that stays is min(keep, n / (n + late)).

    `net`: another network with the same weights.
    `buffers`: whether floating buffers are averaged too; all others are copied. Without, only parameters are.
    """

    net: nn.Module
    keep: float
    late: int = 9
    buffers: bool = False

    @torch.no_grad()
    def update(self, net: nn.Module, steps: int) -> None:
        share = 1 - min(self.keep, steps / (steps + self.late))
        for old, new in zip(self._values(self.net), self._values(net), strict=True):
            if old.is_floating_point():
                old.lerp_(new, share)
            else:
                old.copy_(new)

    def _values(self, net: nn.Module) -> list[Tensor]:
        return list(net.state_dict().values() if self.buffers else net.parameters())


@dataclass(frozen=True, eq=False)
class Part:
    """A network that is trained.

    `optimizer`: its learning rates are the peaks.
    `rate`: step -> share of the peak learning rates.
    `clip`: largest norm of the gradients; None for no limit.
    """

    net: nn.Module
    optimizer: torch.optim.Optimizer
    rate: Callable[[int], float] = lambda step: 1.0
    clip: float | None = None
    mean: Mean | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """One training.

    `kind`: what is trained, in messages.
    `parts`: the networks by name. `steps`: after which the training is complete.
    `batch`: number of a batch, from 0 -> what `losses` takes. A ValueError from it ends the training with a sentence.
    `losses`: networks as they are to be called, by name, and a batch -> in turn, the name of a part and the terms
        whose sum it descends.
    `streams`: of the data, by name; what `batch` draws from besides the number.
    `settings`, `facts`: kept in the checkpoint: the dataclass, and what the data are.
    `title`: before every line of the log. `unit`: what lines count, and its steps.
    `report`, `save`, `sheet_every`: steps between lines, checkpoints, sample sheets.
    `ends`: step -> whether to end before it; for a limit of time.
    `sheet`: a picture (H, W, 3) or (H, W), 0..1, of what the networks do now; None for none.
    """

    kind: str
    parts: Mapping[str, Part]
    steps: int
    batch: Callable[[int], Any]
    losses: Callable[[Mapping[str, nn.Module], Any], Iterator[tuple[str, Terms]]]
    streams: Mapping[str, Stream] = field(default_factory=dict)
    settings: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    unit: tuple[str, int] = ("step", 1)
    report: int = 50
    save: int = 200
    sheet_every: int = 500
    ends: Callable[[int], bool] = lambda step: False
    sheet: Callable[[], Tensor] | None = None
