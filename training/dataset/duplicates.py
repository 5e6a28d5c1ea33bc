"""The same photograph twice: cropped, resized or compressed again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

# Samples along a row and rows of the difference hash; one bit for each neighbouring pair.
_SIDE = 16
# Bits of 256 in which two copies of one photograph differ at most. Of 85 portraits, copies that were compressed, shrunk
# or cropped differ in 12 at most, and aligned faces of two people in 64 at least.
MOST_BITS = 20


def difference_hash(picture: np.ndarray) -> int:
    """256 bits: whether each of 16 x 16 samples of (S, S, 3) uint8 is darker than its neighbour to the right."""
    grey = Image.fromarray(picture).convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(grey, dtype=np.int16)
    return int.from_bytes(np.packbits(pixels[:, 1:] > pixels[:, :-1]).tobytes(), "big")


def duplicates_of(hashes: Sequence[int]) -> dict[int, int]:
    """Number of a photograph -> the number of the first one that it is a copy of."""
    # Of 21 stretches of a hash at least one has no other bit, where at most 20 bits differ.
    bands, width = MOST_BITS + 1, _SIDE * _SIDE // (MOST_BITS + 1)
    seen: list[dict[int, list[int]]] = [{} for _ in range(bands)]
    copies: dict[int, int] = {}
    for number, own in enumerate(hashes):
        stretches = [(own >> band * width) & ((1 << width) - 1) for band in range(bands - 1)]
        # The last one is longer: it takes the rest. An empty one would make neighbours of all.
        stretches.append(own >> (bands - 1) * width)
        near = sorted({other for band, bits in enumerate(stretches) for other in seen[band].get(bits, ())})
        first = next((other for other in near if (hashes[other] ^ own).bit_count() <= MOST_BITS), None)
        if first is not None:
            copies[number] = first
            continue
        for band, bits in enumerate(stretches):
            seen[band].setdefault(bits, []).append(number)
    return copies
