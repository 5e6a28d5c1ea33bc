"""The training loop of a face swapper's generator with cycle triplets; restartable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...injection.faces.fixer_net import full_vector
from .losses import Batch, Faces, generator_terms, judge_loss, judged_real, sum_of
from .triplets import Samples

# Steps between two lines of the log and between two states on the disk.
_REPORT, _SAVE = 50, 500


@dataclass(frozen=True)
class Settings:
    """As published for FaceShifter, but for the number of steps, which is not.

    `width`: of the identity: 640, or 512 without the lower face.
    `released`: train with the released program's mistake (`losses.RELEASED_HAIR`).
    """

    steps: int = 200_000
    rate: float = 1e-4
    betas: tuple[float, float] = (0.0, 0.999)
    width: int = 640
    released: bool = False
    device: str = "cpu"


class Trainee(nn.Module):
    """`generator`: an AEI-Net, with an `encoder` of targets and a `generator` of faces. `judge`: of patches."""

    def __init__(self, generator: nn.Module, judge: nn.Module) -> None:
        super().__init__()
        self.generator, self.judge = generator, judge


def train_generator(
    trainee: Trainee, faces: Faces, vgg: nn.Module | None, samples: Samples, state: Path, settings: Settings,
    log: Callable[[str], None],
) -> nn.Module:  # fmt: skip
    """Train `trainee` in place; go on from `state` where it exists. Returns the generator."""
    for module in (trainee, faces, vgg):
        if module is not None:
            module.to(settings.device)
    optimizers = [
        torch.optim.Adam(part.parameters(), settings.rate, settings.betas)
        for part in (trainee.generator, trainee.judge)
    ]
    step = _resume(state, trainee, optimizers) if state.exists() else 0
    # Another seed after each stop, so that the batches before it do not come once more.
    batches = iter(Samples(samples.shards, samples.batch, samples.seed + step, samples.mixture))
    begin, totals = time.monotonic(), dict[str, float]()
    trainee.train()
    while step < settings.steps:
        for name, loss in _step(trainee, faces, vgg, next(batches).to(settings.device), optimizers, settings).items():
            totals[name] = totals.get(name, 0.0) + loss / _REPORT
        step += 1
        if step % _REPORT == 0:
            terms = ", ".join(f"{name} {value:.3f}" for name, value in totals.items())
            log(f"step {step} of {settings.steps}, {time.monotonic() - begin:.0f} s: {terms}")
            totals.clear()
        if step % _SAVE == 0 or step == settings.steps:
            _keep(state, trainee, optimizers, step)
    return trainee.generator.eval()


def _step(
    trainee: Trainee, faces: Faces, vgg: nn.Module | None, batch: Batch, optimizers: list[torch.optim.Adam],
    settings: Settings,
) -> dict[str, float]:  # fmt: skip
    """One step of the generator, then one of the judge. Returns the losses by name."""
    encode, decode = (trainee.generator.get_submodule(name) for name in ("encoder", "generator"))
    judge = trainee.judge
    with torch.no_grad():
        identity, lower = faces(batch.source)
        vector = full_vector(identity, lower)[:, : settings.width]
    maps = encode(batch.target)
    result = decode(maps, vector)
    new_maps = encode(result)
    terms = generator_terms(batch, result, (maps, new_maps), faces, vgg, settings.released)
    if settings.width <= identity.shape[1]:
        # A generator that does not see the lower face's vector is not asked for it.
        terms = {name: term for name, term in terms.items() if "lower_face" not in name}
    judge.requires_grad_(False)
    terms["adversarial"] = judged_real(judge(result))
    judge.requires_grad_(True)
    _descend(optimizers[0], sum_of(list(terms.values())))
    terms["judge"] = judge_loss(judge(batch.target), judge(result.detach()))
    _descend(optimizers[1], terms["judge"])
    return {name: float(term.detach()) for name, term in terms.items()}


def _descend(optimizer: torch.optim.Adam, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _keep(state: Path, trainee: Trainee, optimizers: list[torch.optim.Adam], step: int) -> None:
    part = state.with_suffix(".part")
    both = [optimizer.state_dict() for optimizer in optimizers]
    torch.save({"trainee": trainee.state_dict(), "optimizers": both, "step": step}, part)
    part.replace(state)


def _resume(state: Path, trainee: Trainee, optimizers: list[torch.optim.Adam]) -> int:
    kept = torch.load(state, map_location="cpu", weights_only=True)
    try:
        trainee.load_state_dict(kept["trainee"])
    except RuntimeError as problem:
        raise ValueError(f"{state} belongs to a run with another generator; name another folder") from problem
    for optimizer, values in zip(optimizers, kept["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    return int(kept["step"])
