"""Who each photograph shows: by its folder, or by the vectors of a face recogniser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

# Photographs that are compared with all others at once.
_TOGETHER = 1024


def by_folder(photographs: Sequence[Path]) -> list[str]:
    """Photographs of one folder below the set's are of one person, the others of a person each.

    `photographs`: relative to the folder of the set.
    """
    return [path.parent.as_posix() if len(path.parts) > 1 else path.as_posix() for path in photographs]


def by_vectors(vectors: Tensor, same_person: float) -> list[str]:
    """Photographs are of one person that are linked by likenesses of at least `same_person`, a cosine.

    `vectors`: (N, n). Names are person-000000 and on, in the order in which people appear.
    """
    unit = functional.normalize(vectors.double(), dim=1)
    person = list(range(len(unit)))

    def first(number: int) -> int:
        while person[number] != number:
            person[number] = person[person[number]]
            number = person[number]
        return number

    for start in range(0, len(unit), _TOGETHER):
        for row, other in torch.nonzero(unit[start : start + _TOGETHER] @ unit.T >= same_person).tolist():
            one, two = sorted((first(start + row), first(other)))
            person[two] = one
    heads = [first(number) for number in range(len(unit))]
    names = {head: f"person-{at:06d}" for at, head in enumerate(dict.fromkeys(heads))}
    return [names[head] for head in heads]
