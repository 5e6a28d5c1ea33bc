"""Layers of the last composites, kept so that another strength only mixes them anew.

An entry is found by all that its layers depend on: the contents of pictures and masks, the faces, the parts in their
order and the style. The strengths are not among them.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..detectors.parts import Face
from .layer import Layer

# Pictures of a batch up to which layers are kept; a longer one is a film.
KEPT_PICTURES = 8
# Bytes that are kept at most: a picture of 1024 pixels has about 10 MB of layers, one of 4096 pixels 160 MB.
_MOST_BYTES = 256 << 20
# Pictures at most, as one of which every part is left as it was keeps its faces alone.
_MOST = 64


@dataclass(frozen=True, eq=False)
class LaidPart:
    """One part of one person. `reference`: the person's number. `layers`: of its sides. `lines`: of the report."""

    part: str
    reference: int
    layers: tuple[Layer, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Stack:
    """What is laid over one picture, in drawing order.

    `tone`: of the picture (`Canvas`). `faces`: that it was made of; held, as a key has their identity.
    """

    parts: tuple[LaidPart, ...]
    tone: Tensor | None
    faces: tuple[Face | None, ...]

    @property
    def bytes(self) -> int:
        return sum(layer.bytes for part in self.parts for layer in part.layers)


class KeptStacks:
    """The last stacks, within _MOST_BYTES."""

    def __init__(self) -> None:
        self._stacks: dict[Hashable, Stack] = {}

    def get(self, key: Hashable) -> Stack | None:
        stack = self._stacks.pop(key, None)
        if stack is not None:
            self._stacks[key] = stack
        return stack

    def put(self, key: Hashable, stack: Stack) -> None:
        self._stacks[key] = stack
        while len(self._stacks) > _MOST or sum(one.bytes for one in self._stacks.values()) > _MOST_BYTES:
            del self._stacks[next(iter(self._stacks))]


def digest(tensor: Tensor | None) -> Hashable:
    """What tells the contents of two tensors apart: two checksums, which take 10 ms for a picture of 1024 pixels."""
    if tensor is None:
        return None
    values = np.ascontiguousarray(tensor.detach().cpu().numpy())
    return values.shape, values.dtype.str, zlib.crc32(values.data), zlib.adler32(values.data)
