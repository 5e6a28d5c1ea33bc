"""Training FixerNet: who a lower face belongs to, by a margin softmax (ArcFace, arXiv 1801.07698); restartable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from torch.nn import functional

from ...injection.faces.fixer_net import SIDE, WIDTH
from ...injection.faces.iresnet import DEPTHS, FaceVectorNet
from .people import People, batches

# Epochs, as shares of the run, from which the learning rate is a tenth of what it was; published: 11, 17, 22 of 25.
_DROPS = (11 / 25, 17 / 25, 22 / 25)
# Batch for which the published learning rate of 0.1 holds.
_RATE_BATCH = 512


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


def train_fixer(people: People, state: Path, settings: Settings, log: Callable[[str], None]) -> FaceVectorNet:
    """Train on `people`; go on from `state`, which is written after every epoch, where it exists.

    Raises ValueError for an unknown depth, and for a state of other people or another depth.
    """
    if settings.depth not in DEPTHS:
        raise ValueError(f"depth is '{settings.depth}'; choose one of {', '.join(DEPTHS)}")
    torch.manual_seed(settings.seed)
    net = FaceVectorNet(DEPTHS[settings.depth], SIDE, WIDTH)
    softmax = MarginSoftmax(len(people.names), WIDTH, settings.scale)
    both = nn.ModuleList([net, softmax])
    batch = min(settings.batch, len(people.faces))
    rate = settings.rate * batch / _RATE_BATCH
    optimizer = torch.optim.SGD(both.parameters(), rate, settings.momentum, weight_decay=settings.decay)
    done = _resume(state, both, optimizer, people, settings) if state.exists() else 0
    begin = time.monotonic()
    for epoch in range(done, settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.1 ** sum(epoch >= share * settings.epochs for share in _DROPS)
        total, steps = 0.0, 0
        net.train()
        for pixels, person in batches(people, batch, settings.shift, Generator().manual_seed(settings.seed + epoch)):
            loss = softmax(net(pixels), person, _margin(settings, epoch))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(both.parameters(), 5.0)
            optimizer.step()
            total, steps = total + float(loss.detach()), steps + 1
        kept = {"both": both.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1}
        torch.save({**kept, "depth": settings.depth, "names": list(people.names)}, state.with_suffix(".part"))
        state.with_suffix(".part").replace(state)
        log(f"epoch {epoch + 1} of {settings.epochs}, loss {total / steps:.3f}, {time.monotonic() - begin:.0f} s")
    return net.eval()


def save_fixer(net: FaceVectorNet, path: Path) -> None:
    """A file that `injection.faces.fixer_net.read_fixer_net` reads, where the net is an r50."""
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, path)


def _margin(settings: Settings, epoch: int) -> float:
    rise = settings.rise * settings.epochs
    return settings.margin * min(1.0, epoch / rise) if rise else settings.margin


def _resume(
    state: Path, both: nn.Module, optimizer: torch.optim.Optimizer, people: People, settings: Settings
) -> int:  # fmt: skip
    kept = torch.load(state, map_location="cpu", weights_only=True)
    if kept["depth"] != settings.depth or kept["names"] != list(people.names):
        raise ValueError(
            f"{state} belongs to a run of depth {kept['depth']} on {len(kept['names'])} people, and this one is of "
            f"depth {settings.depth} on {len(people.names)} people; name another folder, or give the same settings"
        )
    both.load_state_dict(kept["both"])
    optimizer.load_state_dict(kept["optimizer"])
    return int(kept["epoch"])
