"""Whether pictures of people who were not trained on show them: cosine of a recogniser to another photograph of each.

All pictures of a person begin with the same noise; the photograph that they are compared with is no reference of any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .model import TRAINED, TRAINING_FREE, ReferenceDenoiser
from .sampling import sample

# Latents (N, 4, h, w) -> pictures (N, S, S).
Decode = Callable[[Tensor], Tensor]
NOBODY, ONE, TWO, ANOTHER = "nobody", "one", "two", "one of another person"
FREE_ONE, FREE_TWO = f"one, {TRAINING_FREE}", f"two, {TRAINING_FREE}"
# Drawings of people for a confidence interval, and the share of them beyond each end.
_DRAWINGS, _BEYOND = 2000, 0.025
# Pictures that are sampled at once.
_BATCH = 43


@dataclass(frozen=True, eq=False)
class Trials:
    """One row for each of N pictures.

    `latents`: (N, 2, 4, h, w), two references. `photographs`: (N, S, S), what the picture is compared with.
    `people`: (N,) int64, numbers of the people.
    """

    latents: Tensor
    photographs: Tensor
    people: Tensor


def trials(crops: Mapping[str, Tensor], latents: Mapping[str, Tensor], people: Sequence[Sequence[str]]) -> Trials:
    """Each photograph of each person once as what is compared with, the next two as references.

    `crops`, `latents`: photograph -> (2, S, S) and (2, 4, h, w). `people`: names of three photographs for each.
    """
    rows = [(own[i], own[(i + 1) % 3], own[(i + 2) % 3], n) for n, own in enumerate(people) for i in range(3)]
    return Trials(
        torch.stack([torch.stack([latents[a][0], latents[b][0]]) for _, a, b, _ in rows]),
        torch.stack([crops[name][0] for name, _, _, _ in rows]), torch.tensor([n for _, _, _, n in rows]),
    )  # fmt: skip


def pictures_of(
    net: ReferenceDenoiser, judged: Trials, decode: Decode, *, guidance: float = 1.0, seed: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[str, Tensor]]:
    """What is looked at, and pictures (N, S, S). `device`: of the net."""
    noise = torch.randn(judged.latents[:, 0].shape, generator=torch.Generator().manual_seed(seed))
    # The same people in another order: each person has as many rows as every other.
    another = judged.latents.roll(int((judged.people == 0).sum()), 0)
    ways: dict[str, tuple[Tensor | None, str]] = {
        NOBODY: (None, TRAINED), ONE: (judged.latents[:, :1], TRAINED), TWO: (judged.latents, TRAINED),
        FREE_ONE: (judged.latents[:, :1], TRAINING_FREE), ANOTHER: (another[:, :1], TRAINED),
        FREE_TWO: (judged.latents, TRAINING_FREE),
    }  # fmt: skip
    for name, (references, mechanism) in ways.items():
        parts = []
        for rows in torch.arange(len(noise)).split(_BATCH):
            own = None if references is None else references[rows].to(device)
            parts.append(decode(sample(net, noise[rows].to(device), own, mechanism=mechanism, guidance=guidance)))
        yield name, torch.cat(parts)


def figures(cosines: Mapping[str, Tensor], people: Tensor) -> list[str]:
    """Lines with mean, interval and the share of rows nearer than without references, and of two against one."""
    lines = [f"{len(people)} pictures of {int(people.max()) + 1} people, cosine to another photograph of the person"]
    for name, own in cosines.items():
        low, high = interval(own, people)
        nearer = float((own > cosines[NOBODY]).float().mean())
        more = "" if name == NOBODY else f", nearer than {NOBODY} {nearer:.1%}"
        lines.append(f"{name}: mean {float(own.mean()):.3f}, 95 % of {low:.3f} to {high:.3f}{more}")
    for more, less in ((ONE, NOBODY), (TWO, ONE), (ONE, ANOTHER), (FREE_ONE, NOBODY), (FREE_TWO, FREE_ONE)):
        gain = cosines[more] - cosines[less]
        low, high = interval(gain, people)
        lines.append(
            f"{more} - {less}: {float(gain.mean()):+.3f}, {low:+.3f} to {high:+.3f}, "
            f"nearer {float((gain > 0).float().mean()):.1%}"
        )
    return lines


def interval(values: Tensor, people: Tensor) -> tuple[float, float]:
    """95 % of the means of as many people drawn with replacement: pictures of one person are not independent."""
    means = torch.stack([values[people == person].mean() for person in people.unique()])
    random = torch.Generator().manual_seed(0)
    drawn = means[torch.randint(len(means), (_DRAWINGS, len(means)), generator=random)].mean(1)
    low, high = drawn.quantile(torch.tensor([_BEYOND, 1 - _BEYOND])).tolist()
    return low, high
