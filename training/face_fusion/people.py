"""Latents of people's photographs, and the batches of pictures and references that are drawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from .codec import Codec


@dataclass(frozen=True, eq=False)
class People:
    """`latents`: (photographs, 2, 4, h, w) float32, of each photograph and of its mirror image.

    `several`: for each person with two or more photographs their numbers. `single`: the photographs of all others.
    """

    latents: Tensor
    several: tuple[tuple[int, ...], ...]
    single: tuple[int, ...]

    def draw(self, count: int, references: int, single: float, random: Generator) -> tuple[Tensor, Tensor | None]:
        """Pictures (count, 4, h, w), and of each person `references` others (count, references, 4, h, w), None for 0.

        `single`: share of the people with one photograph, whose mirror image is the reference.
        """
        pairs = [self._pair(references, single, random) for _ in range(count)]
        pictures = torch.stack([self.latents[pair[0]] for pair in pairs])
        if not references:
            return pictures, None
        return pictures, torch.stack([torch.stack([self.latents[place] for place in pair[1:]]) for pair in pairs])

    def _pair(self, references: int, single: float, random: Generator) -> list[tuple[int, int]]:
        """(photograph, whether mirrored) of the picture and of its references."""
        mirrored = _below(2, random)
        if not self.several or (self.single and float(torch.rand((), generator=random)) < single):
            photograph = self.single[_below(len(self.single), random)]
            return [(photograph, mirrored)] + [(photograph, 1 - mirrored)] * references
        own = self.several[_below(len(self.several), random)]
        photograph = own[_below(len(own), random)]
        others = [i for i in own if i != photograph]
        return [(photograph, mirrored)] + [(others[_below(len(others), random)], mirrored) for _ in range(references)]


def _below(number: int, random: Generator) -> int:
    return int(torch.randint(number, (), generator=random))


def people_of(latents: Mapping[str, Tensor], people: Mapping[str, Sequence[str]]) -> People:
    """`latents`: photograph -> (2, 4, h, w). `people`: person -> their photographs."""
    names = [name for own in people.values() for name in own]
    numbers = {name: i for i, name in enumerate(names)}
    groups = [tuple(numbers[name] for name in own) for own in people.values()]
    return People(
        torch.stack([latents[name] for name in names]),
        tuple(group for group in groups if len(group) > 1),
        tuple(group[0] for group in groups if len(group) == 1),
    )


def encoded(crops: Mapping[str, Tensor], codec: Codec, stored: Path) -> dict[str, Tensor]:
    """Photograph -> latents (2, 4, h, w) float32, read from `stored` where they are in it, else written to it.

    `crops`: photograph -> (2, S, S) grey, 0..1.
    """
    latents = torch.load(stored, map_location="cpu", weights_only=True) if stored.exists() else {}
    missing = {name: codec.encode(pair).half() for name, pair in crops.items() if name not in latents}
    if missing:
        latents |= missing
        part = stored.with_suffix(".part")
        torch.save(latents, part)
        part.replace(stored)
    return {name: latents[name].float() for name in crops}
