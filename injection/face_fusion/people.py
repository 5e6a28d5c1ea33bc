"""The people whom a picture is to show: their photographs, and which region of the picture is whose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class FacePerson:
    """One person, independent of any model.

    `name`: of the input that the person came from, for messages.
    `pictures`: the photographs, each (1, H, W, 3) float32, 0..1; sizes may differ.
    `views`: for each photograph (1, H, W), above 0 where it may be looked at, or None for all of it.
    `strength`: >= 0, how much a token of the photographs counts beside one of the picture's own.
    `region`: (B or 1, H, W) in 0..1 over the new picture, (1, 1, 1) for everywhere.
    """

    name: str
    pictures: tuple[Tensor, ...]
    views: tuple[Tensor | None, ...]
    strength: float
    region: Tensor

    @property
    def acts(self) -> bool:
        return self.strength > 0 and bool((self.region > 0).any())


@dataclass(frozen=True, eq=False)
class Reference:
    """One photograph on its way through the UNet.

    `person`: the number of its person.
    `latent`: (1, C, h, w) float32, clean, as the VAE gives it.
    `view`: as in FacePerson.
    `log_share`: logarithm of its share in its person's weight.
    """

    person: int
    latent: Tensor
    view: Tensor | None
    log_share: float


def references_of(people: Sequence[FacePerson], latents: Sequence[Sequence[Tensor]], balance: bool) -> list[Reference]:
    """All photographs of all people, in order.

    `latents`: for each person the encoded photographs. `balance`: whether the photographs of one person share that
    person's weight, so that two of them count as much as one; else each has all of it.
    """
    return [
        Reference(number, latent.float(), view, -math.log(len(own)) if balance else 0.0)
        for number, (person, own) in enumerate(zip(people, latents, strict=True))
        for latent, view in zip(own, person.views, strict=True)
    ]


def sentence_of(photographs: Sequence[int]) -> str:
    """Which numbered pictures show whom, for a prompt. `photographs`: how many each person has."""
    clauses, first = [], 1
    for number, count in enumerate(photographs, 1):
        last = first + count - 1
        pictures = f"Image {first} shows" if count == 1 else f"Images {first} to {last} show"
        clauses.append(f"{pictures} the {_ordinal(number)} person.")
        first = last + 1
    return " ".join(clauses)


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    return words[number - 1] if number <= len(words) else f"{number}th"
