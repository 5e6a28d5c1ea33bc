"""The training loop of the built-in face parser; restartable, and the same for the same seed and settings."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.data import DataLoader, IterableDataset

from ...detectors.parser_net import CLASSES, FaceParser
from ...detectors.spectacles_net import spectacles_net
from .encoder import start_from_teacher
from .labels import UNSURE
from .samples import Samples, load
from .strips import Strips, load_strips

# Frames are thin, ears, lenses and occluders rare.
_WEIGHTS = {"frame": 2.5, "lens": 1.5, "ears": 1.5, "occluder": 1.3, "hat": 1.2}
_DECODER = ("at_16th", "context", "at_eighth", "at_quarter", "at_half")
# Steps between two lines of the log and between two states on the disk.
_REPORT, _SAVE = 50, 200


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
    labels: Path, teacher: Path, wearers: set[str], held_out: set[str], state: Path, settings: Settings,
    log: Callable[[str], None], device: str = "cpu", start: Path | None = None,
) -> FaceParser:  # fmt: skip
    """Train the parser on the samples in the folder `labels`, without those `held_out`.

    Go on from `state` where it exists; else begin with the net of the finished state `start`, or with the teacher's
    encoder.
    """
    torch.manual_seed(settings.seed)
    net = FaceParser()
    start_from_teacher(net, teacher)
    _normalise(net)
    if start is not None:
        net.load_state_dict(torch.load(start, map_location="cpu", weights_only=True)["mean"])
    portraits = {name: sample for name, sample in load(labels).items() if name not in held_out}
    weights = torch.tensor([_WEIGHTS.get(name, 1.0) for name in CLASSES], device=device)
    return _train(
        net, lambda seed: Samples(portraits, wearers, seed), lambda logits, classes: _loss(logits, classes, weights),
        state, settings, log, device,
    )  # fmt: skip


def train_spectacles(
    strips: Path, labels: Path, left_out: set[str], parser: FaceParser, state: Path, settings: Settings,
    log: Callable[[str], None], device: str = "cpu",
) -> FaceParser:  # fmt: skip
    """Train the close look at spectacles on the folders `strips` and `labels`, without those `left_out`.

    Go on from `state` where it exists; else begin with what fits of the trained `parser`.
    """
    torch.manual_seed(settings.seed)
    net = spectacles_net()
    own, known = net.state_dict(), parser.state_dict()
    net.load_state_dict({key: known[key] if known[key].shape == own[key].shape else own[key] for key in own})
    _normalise(net)
    samples = load(labels)
    people = {name: strip for name, strip in load_strips(strips).items() if name not in left_out}
    return _train(net, lambda seed: Strips(people, samples, seed), _loss_of_shares, state, settings, log, device)


def _train(
    net: FaceParser, samples: Callable[[int], IterableDataset[tuple[Tensor, Tensor]]],
    loss_of: Callable[[Tensor, Tensor], Tensor], state: Path, settings: Settings, log: Callable[[str], None],
    device: str,
) -> FaceParser:  # fmt: skip
    """The mean of the net over the last steps, folded. `samples`: a seed -> pictures and what `loss_of` compares with
    the logits."""
    net = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = copy.deepcopy(net)
    encoder = [p for name, p in net.named_parameters() if name.startswith(("stem", "stages"))]
    decoder = [p for name, p in net.named_parameters() if not name.startswith(("stem", "stages"))]
    groups = [{"params": encoder, "peak": settings.encoder_rate}, {"params": decoder, "peak": settings.rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    step, steps = 0, settings.samples // settings.batch
    if state.exists():
        kept = torch.load(state, map_location=device, weights_only=True)
        net.load_state_dict(kept["net"])
        mean.load_state_dict(kept["mean"])
        optimizer.load_state_dict(kept["optimizer"])
        step = kept["step"]
    data = samples(settings.seed + step)
    loader = iter(DataLoader(data, settings.batch, num_workers=settings.workers, pin_memory=device != "cpu"))
    begin = time.monotonic()
    while step < steps:
        done = step / steps
        if settings.minutes:
            done = max(done, (time.monotonic() - begin) / 60 / settings.minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _rate(done)
        pictures, truth = (t.to(device, non_blocking=True) for t in next(loader))
        pictures = (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
        loss = loss_of(net(pictures), truth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        step += 1
        _average(mean, net, min(settings.keep, step / (step + 10)))
        if step % _REPORT == 0:
            log(f"step {step} of {steps}, loss {loss.item():.4f}, {time.monotonic() - begin:.0f} s")
        if step % _SAVE == 0:
            _keep(state, net, mean, optimizer, step)
    _keep(state, net, mean, optimizer, step)
    return folded(mean)


def _keep(state: Path, net: nn.Module, mean: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    kept = {"net": net.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(kept, state)


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


@torch.no_grad()
def _average(mean: nn.Module, net: nn.Module, keep: float) -> None:
    for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)


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
