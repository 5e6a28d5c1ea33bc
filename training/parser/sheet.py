"""Sample sheets: pictures that training left out, what is right, and what the net sees in them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor, nn

from ...detectors.parser_net import CLASSES
from ..core.record import in_columns
from .labels import UNSURE
from .stream import Endless

_SHOWN = 6
# A truth or answer (N, ...) as colours (N, 3, H, W), 0..1.
Colours = Callable[[Tensor], Tensor]


def sheet_of(net: nn.Module, samples: Endless, truth: Colours, answer: Colours) -> Tensor:
    """(H, W, 3), 0..1."""
    pictures, truths = (torch.stack(each) for each in zip(*islice(samples, _SHOWN), strict=True))
    parameter = next(net.parameters())
    logits = net.eval()(pictures.to(parameter.device).float() / 255).float().cpu()
    return in_columns([pictures.float() / 255, truth(truths), answer(logits)])


def of_classes(classes: Tensor) -> Tensor:
    """(N, H, W), numbers of CLASSES -> colours; what is unsure is black."""
    colours = torch.rand(len(CLASSES), 3, generator=torch.Generator().manual_seed(5))
    sure = classes != UNSURE
    return (colours[classes.long().where(sure, 0)] * sure[..., None]).movedim(-1, 1)


def of_logits(logits: Tensor) -> Tensor:
    return of_classes(logits.argmax(1))


def of_shares(shares: Tensor) -> Tensor:
    """(N, 3, h, w) 0..255: a share is a colour."""
    return shares.float() / 255


def of_share_logits(logits: Tensor) -> Tensor:
    return logits.softmax(1)
