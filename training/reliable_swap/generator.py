"""Training a face swapper's generator with cycle triplets, against a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...injection.faces.fixer_net import full_vector
from ..core.loop import train
from ..core.options import Options, accelerator_for, apart
from ..core.plan import Log, Part, Plan, Terms
from .losses import Batch, Faces, generator_terms, judge_loss, judged_real
from .triplets import Samples

# Steps between two checkpoints.
_SAVE = 500


@dataclass(frozen=True)
class Settings:
    """As published for FaceShifter, but for the number of steps, which is not.

    `batch`, `seed`: of the samples.
    `width`: of the identity: 640, or 512 without the lower face.
    `released`: train with the released program's mistake (`losses.RELEASED_HAIR`).
    """

    steps: int = 200_000
    rate: float = 1e-4
    betas: tuple[float, float] = (0.0, 0.999)
    width: int = 640
    released: bool = False
    batch: int = 8
    seed: int = 0


class Trainee(nn.Module):
    """`generator`: an AEI-Net, with an `encoder` of targets and a `generator` of faces. `judge`: of patches."""

    def __init__(self, generator: nn.Module, judge: nn.Module) -> None:
        super().__init__()
        self.generator, self.judge = generator, judge


class _Swap(nn.Module):
    """Targets and identities -> results, and the maps of both."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, target: Tensor, vector: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        encode, decode = (self.generator.get_submodule(name) for name in ("encoder", "generator"))
        maps = encode(target)
        result = decode(maps, vector)
        return result, maps, encode(result)


class _Judges(nn.Module):
    """Photographs and results -> the scores of both."""

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, real: Tensor, made: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return self.judge(real), self.judge(made)


def train_generator(
    trainee: Trainee, faces: Faces, vgg: nn.Module | None, samples: Samples, state: Path, settings: Settings, log: Log,
    options: Options | None = None, sheet: Callable[[nn.Module], Tensor] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> nn.Module:  # fmt: skip
    """Train `trainee` in place; go on from `state` where it exists. Returns the generator.

    `samples`: where the batches are, which begin with the first. `sheet`: of the generator, as `Plan.sheet`.
    """
    options = options or Options()
    accelerator = accelerator_for(options)
    for module in (faces, vgg):
        if module is not None:
            module.to(accelerator.device)
    own = Samples(samples.shards, samples.batch, apart(samples.seed), samples.mixture)
    generator, judge = trainee.generator, trainee.judge
    parts = {
        name: Part(net, torch.optim.Adam(net.parameters(), settings.rate, settings.betas))
        for name, net in (("generator", _Swap(generator)), ("judge", _Judges(judge)))
    }

    def losses(nets: Mapping[str, nn.Module], batch: Batch) -> Iterator[tuple[str, Terms]]:
        with torch.no_grad():
            identity, lower = faces(batch.source)
            vector = full_vector(identity, lower)[:, : settings.width]
        result, maps, new_maps = nets["generator"](batch.target, vector)
        terms = generator_terms(batch, result, (maps, new_maps), faces, vgg, settings.released)
        if settings.width <= identity.shape[1]:
            # A generator that does not see the lower face's vector is not asked for it.
            terms = {name: term for name, term in terms.items() if "lower_face" not in name}
        judge.requires_grad_(False)
        terms["adversarial"] = judged_real(judge(result))
        judge.requires_grad_(True)
        yield "generator", terms
        yield "judge", {"judge": judge_loss(*nets["judge"](batch.target, result.detach()))}

    trainee.train()
    plan = Plan(
        "generator", parts, settings.steps, lambda number: next(own).to(accelerator.device), losses, {"samples": own},
        settings, facts or {}, save=_SAVE, sheet=None if sheet is None else lambda: _drawn(sheet, generator),
    )  # fmt: skip
    train(plan, state, options, accelerator, log)
    return generator.eval()


def _drawn(sheet: Callable[[nn.Module], Tensor], generator: nn.Module) -> Tensor:
    picture = sheet(generator.eval())
    generator.train()
    return picture
