"""A training that takes milliseconds: dropout, batch normalisation, a stream of data, a mean of the weights.

As a program, `tiny_training.py ROOT FOLDER WHAT [NUMBER]`: "lives" kills it NUMBER times at random moments, with
SIGKILL, and goes on; "share" is one of several processes, which share batches of NUMBER.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class TinySettings:
    steps: int = 40
    batch: int = 8
    rate: float = 1e-2
    seed: int = 0


class Numbers:
    """Random pictures, in a stream."""

    def __init__(self, batch: int, seed: int) -> None:
        self.batch, self.random = batch, Generator().manual_seed(seed)

    def __call__(self, number: int) -> Tensor:
        return torch.rand(self.batch, 6, generator=self.random)

    def state_dict(self) -> dict[str, Any]:
        return {"random": self.random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.random.set_state(state["random"])


def tiny_net(seed: int, width: int = 16) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 6))


def tiny_loss(net: nn.Module, numbers: Tensor) -> Tensor:
    return (net(numbers + 0.1 * torch.randn_like(numbers)) - numbers.cumsum(1)).square().mean()


def tiny_plan(settings: TinySettings, width: int = 16, **changes: Any) -> Any:
    from face_part_fusion.training.core.plan import Mean, Part, Plan

    net, mean = tiny_net(settings.seed, width), tiny_net(settings.seed, width)
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate)
    numbers = Numbers(settings.batch, settings.seed)

    def losses(nets: dict[str, nn.Module], batch: Tensor) -> Iterator[tuple[str, dict[str, Tensor]]]:
        yield "net", {"loss": tiny_loss(nets["net"], batch)}

    parts = {"net": Part(net, optimizer, lambda step: 1 - step / settings.steps, 1.0, Mean(mean, 0.9, buffers=True))}
    values: dict[str, Any] = {
        "kind": "tiny net", "parts": parts, "steps": settings.steps, "batch": numbers, "losses": losses,
        "streams": {"numbers": numbers}, "settings": settings, "save": 3, "report": 10, **changes,
    }  # fmt: skip
    return Plan(**values)


def run_tiny(state: Path, plan: Any, *, stop: int | None = None, log: Any = lambda _: None, **options: Any) -> Any:
    from face_part_fusion.training.core.loop import train
    from face_part_fusion.training.core.options import Options, accelerator_for

    own = Options(**options)
    train(plan, state, own, accelerator_for(own), log, stop)
    return plan


def _lives(folder: Path, number: int) -> None:
    """A run that is killed, and one that is not. Each life is a fork of this process, which has computed nothing."""
    importlib.import_module("face_part_fusion.training.core.loop")
    importlib.import_module("accelerate")

    chance = random.Random(number)
    for name, kills in (("killed", number), ("whole", 0)):
        done = 0
        while True:
            life = os.fork()
            if life == 0:
                torch.set_num_threads(1)
                # Wide enough that writing is a good part of the time.
                run_tiny(folder / name / "state.pt", tiny_plan(TinySettings(steps=150), width=2048))
                os._exit(0)
            if done < kills:
                time.sleep(chance.uniform(0.02, 0.5))
                os.kill(life, signal.SIGKILL)
            if not os.WIFSIGNALED(os.waitpid(life, 0)[1]):
                break
            done += 1
        sys.stdout.write(f"{name} {done}\n")


def share(folder: Path, batch: int) -> None:
    """Linear layers alone: batch normalisation and dropout are of each process."""
    from face_part_fusion.training.core.loop import train
    from face_part_fusion.training.core.options import Options, accelerator_for

    torch.set_num_threads(1)
    options = Options()
    accelerator = accelerator_for(options)
    rank, count = accelerator.process_index, accelerator.num_processes
    plan = tiny_plan(TinySettings(steps=20, batch=batch))
    net, mean = plan.parts["net"].net, plan.parts["net"].mean.net
    for each in (net, mean):
        each[1], each[3] = nn.Identity(), nn.Identity()
    numbers, whole = plan.batch, batch // count

    def losses(nets: dict[str, nn.Module], rows: Tensor) -> Iterator[tuple[str, dict[str, Tensor]]]:
        yield "net", {"loss": (nets["net"](rows) - rows.cumsum(1)).square().mean()}

    import dataclasses

    part = dataclasses.replace(plan.parts["net"], optimizer=torch.optim.AdamW(net.parameters(), 1e-2))
    plan = dataclasses.replace(
        plan, parts={"net": part}, losses=losses, batch=lambda i: numbers(i)[rank * whole : (rank + 1) * whole]
    )
    train(plan, folder / f"of_{count}.pt", options, accelerator, lambda _: None)


def _map_package(root: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "face_part_fusion", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["face_part_fusion"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _map_package(Path(sys.argv[1]))
    {"lives": _lives, "share": share}[sys.argv[3]](Path(sys.argv[2]), int(sys.argv[4]))
