"""Training the built-in face parser; the same for the same seed and settings, also when it is cut off."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...detectors.parser_net import CLASSES, FaceParser
from ...detectors.spectacles_net import spectacles_net
from ..core.loop import train
from ..core.options import Options, accelerator_for, apart, listed
from ..core.plan import Log, Mean, Part, Plan, Terms
from ..core.state import weights_of
from .encoder import start_from_teacher
from .labels import UNSURE
from .samples import Samples, load
from .sheet import of_classes, of_logits, of_share_logits, of_shares, sheet_of
from .stream import Endless, Loader
from .strips import Strips, load_strips

# Frames are thin, ears, lenses and occluders rare.
_WEIGHTS = {"frame": 2.5, "lens": 1.5, "ears": 1.5, "occluder": 1.3, "hat": 1.2}
_DECODER = ("at_16th", "context", "at_eighth", "at_quarter", "at_half")


@dataclass(frozen=True)
class Settings:
    """`samples`: how many are seen. `minutes`: stop earlier, the learning rate falling in time; 0 for no limit."""

    samples: int = 14000
    batch: int = 16
    rate: float = 3e-3
    encoder_rate: float = 6e-4
    keep: float = 0.995
    workers: int = 1
    seed: int = 0
    minutes: float = 0.0


def train_parser(
    labels: Path, teacher: Path, wearers: set[str], held_out: set[str], state: Path, settings: Settings, log: Log,
    options: Options | None = None, start: Path | None = None,
) -> FaceParser:  # fmt: skip
    """Train the parser on the samples in the folder `labels`, without those `held_out`.

    Go on from `state` where it exists; else begin with the net of the finished state `start`, or with the teacher's
    encoder.
    """
    options = options or Options()
    accelerator = accelerator_for(options)
    torch.manual_seed(settings.seed)
    net = FaceParser()
    start_from_teacher(net, teacher)
    _normalise(net)
    if start is not None:
        net.load_state_dict(weights_of(start, "net", "mean", "parser"))
    everyone = load(labels)
    judges = {name: sample for name, sample in everyone.items() if name in held_out}
    portraits = {name: sample for name, sample in everyone.items() if name not in held_out}
    weights = torch.tensor([_WEIGHTS.get(name, 1.0) for name in CLASSES], device=accelerator.device)
    shown = Samples(judges, wearers, settings.seed)
    return _train(
        net, Samples(portraits, wearers, apart(settings.seed)),
        lambda logits, classes: _loss(logits, classes, weights), state, settings, log, options, accelerator,
        (lambda mean: sheet_of(mean, shown, of_classes, of_logits)) if judges else None,
    )  # fmt: skip


def train_spectacles(
    strips: Path, labels: Path, left_out: set[str], parser: FaceParser, state: Path, settings: Settings, log: Log,
    options: Options | None = None,
) -> FaceParser:  # fmt: skip
    """Train the close look at spectacles on the folders `strips` and `labels`, without those `left_out`.

    Go on from `state` where it exists; else begin with what fits of the trained `parser`.
    """
    options = options or Options()
    accelerator = accelerator_for(options)
    torch.manual_seed(settings.seed)
    net = spectacles_net()
    own, known = net.state_dict(), parser.state_dict()
    net.load_state_dict({key: known[key] if known[key].shape == own[key].shape else own[key] for key in own})
    _normalise(net)
    samples, everyone = load(labels), load_strips(strips)
    judges = {name: strip for name, strip in everyone.items() if name in left_out}
    people = {name: strip for name, strip in everyone.items() if name not in left_out}
    shown = Strips(judges, samples, settings.seed)
    return _train(
        net, Strips(people, samples, apart(settings.seed)), _loss_of_shares, state, settings, log, options, accelerator,
        (lambda mean: sheet_of(mean, shown, of_shares, of_share_logits)) if judges else None,
    )  # fmt: skip


def _train(
    net: FaceParser, samples: Endless, loss_of: Callable[[Tensor, Tensor], Tensor], state: Path, settings: Settings,
    log: Log, options: Options, accelerator: Any, sheet: Callable[[nn.Module], Tensor] | None,
) -> FaceParser:  # fmt: skip
    """The mean of the net over the last steps, folded. `samples`: pictures and what `loss_of` compares with the
    logits.

    Raises ValueError for a limit of time on several processes, whose clocks differ.
    """
    if settings.minutes and accelerator.num_processes > 1:
        raise ValueError(f"minutes is {settings.minutes}; several processes have no common clock, leave it at 0")
    device = accelerator.device
    net = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = copy.deepcopy(net)
    encoder = [p for name, p in net.named_parameters() if name.startswith(("stem", "stages"))]
    decoder = [p for name, p in net.named_parameters() if not name.startswith(("stem", "stages"))]
    groups = [{"params": encoder, "lr": settings.encoder_rate}, {"params": decoder, "lr": settings.rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    steps, begin = settings.samples // settings.batch, time.monotonic()
    loader = Loader(samples, settings.batch, settings.workers, device.type != "cpu")

    def done(step: int) -> float:
        share = step / steps
        return max(share, (time.monotonic() - begin) / 60 / settings.minutes) if settings.minutes else share

    def batch(number: int) -> tuple[Tensor, Tensor]:
        pictures, truth = (each.to(device, non_blocking=True) for each in next(loader))
        return (pictures.float() / 255).contiguous(memory_format=torch.channels_last), truth

    def losses(nets: Mapping[str, nn.Module], one: tuple[Tensor, Tensor]) -> Iterator[tuple[str, Terms]]:
        yield "net", {"loss": loss_of(nets["net"](one[0]), one[1])}

    part = Part(net, optimizer, lambda step: _rate(done(step)), 2.0, Mean(mean, settings.keep, late=10, buffers=True))
    plan = Plan(
        "parser", {"net": part}, steps, batch, losses, {"samples": loader}, settings, listed(samples.names),
        ends=lambda step: done(step) >= 1, sheet=None if sheet is None else lambda: sheet(mean),
    )  # fmt: skip
    train(plan, state, options, accelerator, log)
    return folded(mean)


def _rate(done: float) -> float:
    """Share of the peak learning rate: a short rise, then a cosine."""
    return min(1.0, done / 0.03 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * done)) + 0.005


def _loss(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy, and the soft Dice of every class over the batch."""
    classes = classes.long()
    entropy = F.cross_entropy(logits, classes, weights, ignore_index=UNSURE)
    sure = (classes != UNSURE)[:, None]
    probabilities = logits.softmax(1) * sure
    truth = F.one_hot(classes.where(classes != UNSURE, 0), len(CLASSES)).permute(0, 3, 1, 2) * sure
    both = (probabilities * truth).sum((0, 2, 3))
    total = (probabilities + truth).sum((0, 2, 3))
    dice = 1 - (2 * both + 50) / (total + 50)
    return entropy + 0.5 * dice.mean()


def _loss_of_shares(logits: Tensor, shares: Tensor) -> Tensor:
    """Cross entropy with the shares (N, 3, h, w) 0..255 of LOOKS, and the soft Dice of frame and lens."""
    truth = shares.float() / 255
    entropy = F.cross_entropy(logits, truth)
    probabilities = logits.softmax(1)
    both = (probabilities * truth).sum((0, 2, 3))[1:]
    total = (probabilities**2 + truth**2).sum((0, 2, 3))[1:]
    return entropy + 0.5 * (1 - (2 * both + 50) / (total + 50)).mean()


def _normalise(net: FaceParser) -> None:
    """Batch normalisation behind every convolution of the decoder but the last."""
    for name in _DECODER:
        layer = net.get_submodule(name)
        if isinstance(layer, nn.Conv2d) and name != "context":
            setattr(net, name, nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels)))


def folded(net: FaceParser) -> FaceParser:
    """The net with batch normalisation folded into its convolutions, as it is shipped."""
    net = copy.deepcopy(net).eval().cpu()
    for name in _DECODER:
        layer = net.get_submodule(name)
        if isinstance(layer, nn.Sequential):
            convolution, norm = layer
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(net, name, fuse_conv_bn_eval(convolution, norm))
    return net


def save(net: FaceParser, path: Path) -> None:
    save_file({key: value.half().contiguous() for key, value in net.state_dict().items()}, path)
