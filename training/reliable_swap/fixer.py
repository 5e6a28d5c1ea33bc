"""Training FixerNet: who a lower face belongs to, by a margin softmax (ArcFace, arXiv 1801.07698); restartable."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from torch.nn import functional

from ...injection.faces.fixer_net import SIDE, WIDTH
from ...injection.faces.iresnet import DEPTHS, FaceVectorNet
from ..core.loop import train
from ..core.options import Options, accelerator_for, listed
from ..core.plan import Log, Part, Plan, Terms
from ..core.state import read_state
from .people import People, batches

# Epochs, as shares of the run, from which the learning rate is a tenth of what it was; published: 11, 17, 22 of 25.
_DROPS = (11 / 25, 17 / 25, 22 / 25)
# Batch for which the published learning rate of 0.1 holds.
_RATE_BATCH = 512
# Most steps between two checkpoints.
_SAVE = 500


@dataclass(frozen=True)
class Settings:
    """The defaults are the published ones.

    `depth`: of the network, a key of DEPTHS; the pack's swappers read r50 alone.
    `rate`: learning rate for a batch of 512; it shrinks with the batch.
    `scale`, `margin`: of the softmax; the margin is an angle in radians.
    `rise`: share of the run over which the margin grows from 0; few people learn nothing without it.
    `shift`: most pixels by which the faces of a batch are moved.
    """

    depth: str = "r50"
    epochs: int = 25
    batch: int = 128
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 5e-4
    scale: float = 64.0
    margin: float = 0.5
    rise: float = 0.0
    shift: int = 0
    seed: int = 0


class MarginSoftmax(nn.Module):
    """Vectors (B, W), people (B,) and a margin in radians -> their loss. The angle to the right person is widened."""

    def __init__(self, people: int, width: int, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(people, width) * 0.01)
        self.scale = scale

    def forward(self, vectors: Tensor, person: Tensor, margin: float) -> Tensor:
        cosines = functional.linear(functional.normalize(vectors), functional.normalize(self.centres)).clamp(-1, 1)
        own = cosines.gather(1, person[:, None])
        sine = (1 - own.square()).clamp_min(1e-9).sqrt()
        wider = own * math.cos(margin) - sine * math.sin(margin)
        # Beyond pi - margin the cosine would rise again; there it falls on as a straight line.
        wider = torch.where(own > math.cos(math.pi - margin), wider, own - math.sin(margin) * margin)
        return functional.cross_entropy(self.scale * cosines.scatter(1, person[:, None], wider), person)


class _Classifier(nn.Module):
    """Lower faces, people and a margin -> the loss."""

    def __init__(self, net: FaceVectorNet, softmax: MarginSoftmax) -> None:
        super().__init__()
        self.net, self.softmax = net, softmax

    def forward(self, pixels: Tensor, person: Tensor, margin: float) -> Tensor:
        vectors = self.net(pixels)
        # Cosines times the scale are too large for half precision.
        with torch.autocast(pixels.device.type, enabled=False):
            return self.softmax(vectors.float(), person, margin)


class _Epochs:
    """Batch of any number of a run: each epoch has a generator of its own, seeded by its number."""

    def __init__(self, people: People, size: int, settings: Settings) -> None:
        self._people, self._size, self._settings = people, size, settings
        self.length = len(people.faces) // size
        self._next = -1
        self._batches: Iterator[tuple[Tensor, Tensor]] = iter(())

    def __call__(self, number: int) -> tuple[int, Tensor, Tensor]:
        """The epoch, lower faces and people."""
        epoch, place = divmod(number, self.length)
        if number != self._next or place == 0:
            random = Generator().manual_seed(self._settings.seed + epoch)
            self._batches = islice(batches(self._people, self._size, self._settings.shift, random), place, None)
        self._next = number + 1
        return epoch, *next(self._batches)


def train_fixer(
    people: People, state: Path, settings: Settings, log: Log, stop: int | None = None,
    options: Options | None = None,
) -> FaceVectorNet:  # fmt: skip
    """Train on `people`; go on from `state` where it exists.

    `stop`: the step before which to leave off, None for none.

    Raises ValueError for an unknown depth, and for a state of other people or another depth.
    """
    if settings.depth not in DEPTHS:
        raise ValueError(f"depth is '{settings.depth}'; choose one of {', '.join(DEPTHS)}")
    facts = {"depth": settings.depth, "people": listed(people.names)}
    if state.exists():
        _check(state, facts)
    options = options or Options()
    accelerator = accelerator_for(options)
    torch.manual_seed(settings.seed)
    net = FaceVectorNet(DEPTHS[settings.depth], SIDE, WIDTH)
    both = _Classifier(net, MarginSoftmax(len(people.names), WIDTH, settings.scale))
    # All processes together see a face once an epoch.
    own = min(settings.batch, len(people.faces) // accelerator.num_processes)
    first, size = own * accelerator.process_index, own * accelerator.num_processes
    epochs = _Epochs(people, size, settings)
    rate = settings.rate * size * options.accumulate / _RATE_BATCH
    optimizer = torch.optim.SGD(both.parameters(), rate, settings.momentum, weight_decay=settings.decay)
    length = max(1, epochs.length // options.accumulate)

    def share(step: int) -> float:
        return 0.1 ** sum(step // length >= drop * settings.epochs for drop in _DROPS)

    def batch(number: int) -> tuple[int, Tensor, Tensor]:
        epoch, pixels, person = epochs(number)
        pixels, person = (each[first : first + own].to(accelerator.device) for each in (pixels, person))
        return epoch, pixels, person

    def losses(nets: Mapping[str, nn.Module], one: tuple[int, Tensor, Tensor]) -> Iterator[tuple[str, Terms]]:
        epoch, pixels, person = one
        yield "fixer", {"loss": nets["fixer"](pixels, person, _margin(settings, epoch))}

    both.train()
    plan = Plan(
        "FixerNet", {"fixer": Part(both, optimizer, share, clip=5.0)}, settings.epochs * length, batch, losses,
        settings=settings, facts=facts, unit=("epoch", length), report=length, save=min(length, _SAVE),
    )  # fmt: skip
    train(plan, state, options, accelerator, log, stop)
    return net.eval().cpu()


def save_fixer(net: FaceVectorNet, path: Path) -> None:
    """A file that `injection.faces.fixer_net.read_fixer_net` reads, where the net is an r50."""
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, path)


def _margin(settings: Settings, epoch: int) -> float:
    rise = settings.rise * settings.epochs
    return settings.margin * min(1.0, epoch / rise) if rise else settings.margin


def _check(state: Path, facts: Mapping[str, Any]) -> None:
    kept = read_state(state, "FixerNet")["facts"]
    if kept != facts:
        raise ValueError(
            f"{state} belongs to a run of depth {kept['depth']} on {kept['people']['count']} people, and this one is "
            f"of depth {facts['depth']} on {facts['people']['count']} people; name another folder, or give the same "
            "settings"
        )
