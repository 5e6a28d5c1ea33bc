"""Portraits -> squares of one size with head and shoulders, and their layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parser_regions import parse_with_builtin
from ...detectors.selection import choose
from ...fusion.regions.complete import calibrated
from ...fusion.regions.layout import FACE, HAIR, NECK, layout_of
from ...fusion.regions.neck import neck_of
from ...injection.hs_diffusion.layout_net import cut
from ..core.pictures import prepare as store

# Side of the square in eye distances, and how far above its middle the chin lies, as a share of it.
_SIDE, _ABOVE = 4.4, 0.1


@dataclass(frozen=True, eq=False)
class Sample:
    """`picture`: (3, S, S) float32 -1..1. `areas`: (5, S, S) float32 0..1, 1 in sum."""

    picture: Tensor
    areas: Tensor


def prepare(pictures: Sequence[Path], folder: Path, size: int, progress: Callable[[int], None]) -> None:
    """Parse and cut the pictures that `folder` does not have yet; those without a face are left out."""
    detector, parser = BuiltinDetector(), BuiltinParser()
    store(pictures, folder, lambda picture: _parse(picture, size, detector, parser), progress)


def _parse(
    picture: Tensor, size: int, detector: BuiltinDetector, parser: BuiltinParser
) -> dict[str, Any] | None:
    parts = parse_with_builtin(choose(picture, find_faces(picture, detector), "large-small"), parser)
    face = parts.face(0)
    if face is None:
        return None
    plain = layout_of(picture[0], face)
    neck = neck_of(face, plain)
    # No larger than the picture, and inside it.
    height, width = picture.shape[1:3]
    side = min(_SIDE * neck.unit, height, width)
    x = min(max(float(neck.chin[0]) - side / 2, 0), width - side)
    y = min(max(float(neck.chin[1]) - (0.5 + _ABOVE) * side, 0), height - side)
    matrix = torch.tensor([[1, 0, -x], [0, 1, -y]]) * size / side
    stack = cut(torch.cat([picture[0].permute(2, 0, 1), calibrated(plain, neck)]), matrix, size)
    byte = (stack.clamp(0, 1) * 255).round().byte().numpy()
    return {"picture": byte[:3], "areas": byte[3:]}


def load(folder: Path) -> dict[str, Sample]:
    people = {}
    for path in sorted(folder.glob("*.npz")):
        values = np.load(path)
        picture, areas = (torch.from_numpy(values[name]).float() / 255 for name in ("picture", "areas"))
        people[path.stem] = Sample(picture * 2 - 1, areas / areas.sum(0).clamp_min(1e-3))
    return people


class Batches:
    """Pictures (N, 3, S, S) and head-cover augmented layouts (N, 5, S, S) without end, mirrored every other time."""

    def __init__(self, people: Sequence[Sample], batch: int, seed: int) -> None:
        self.people, self.batch, self.random = people, batch, Generator().manual_seed(seed)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        own, others = (torch.randint(len(self.people), (self.batch,), generator=self.random).tolist() for _ in range(2))
        mirrored = (torch.rand(self.batch, generator=self.random) < 0.5).tolist()
        pictures, layouts = [], []
        for i, j, turn in zip(own, others, mirrored, strict=True):
            picture, areas = self.people[i].picture, head_covered(self.people[i].areas, self.people[j].areas)
            pictures.append(picture.flip(-1) if turn else picture)
            layouts.append(areas.flip(-1) if turn else areas)
        return torch.stack(pictures), torch.stack(layouts)

    def state_dict(self) -> dict[str, Any]:
        return {"random": self.random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.random.set_state(state["random"])


def batches(people: Sequence[Sample], batch: int, seed: int) -> Batches:
    return Batches(people, batch, seed)


def head_covered(areas: Tensor, other: Tensor) -> Tensor:
    """The layout (5, S, S) with another person's head silhouette blanked out: all classes are 0 there.

    The person's own face, hair and neck stay, as the paper trains its denoiser.
    """
    silhouette = (other[HAIR] + other[FACE]).clamp(0, 1)
    result = areas * (1 - silhouette)
    own = [HAIR, FACE, NECK]
    result[own] = areas[own]
    return result
