"""Strengths of a UNet's blocks, from one line of text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

SIDES = ("input", "middle", "output")
_LARGEST = 10.0


def read_block_weights(text: str, blocks: Iterable[tuple[str, int]]) -> dict[str, float]:
    """Block name ("output_3") -> its weight, for each of `blocks`.

    text: "middle = 0, output = 0.8, output_3 = 1.5" names sides or single blocks, which override their side; a block
        that is not named has 1. "1 0 0.8" or "1, 0, 0.8" are input, middle and output; as many numbers as there are
        blocks are those of the blocks in the order of the forward pass.
    blocks: side and number, as the host labels them.

    Raises ValueError for another name or count, and a weight that is not a number from 0 to 10.
    """
    names = {f"{side}_{number}": side for side, number in sorted(set(blocks), key=_forward_order)}
    separators = r"[,;]" if "=" in text else r"[\s,;]"
    entries = [entry.strip() for entry in re.split(separators, text) if entry.strip()]
    if entries and "=" not in text:
        entries = _named(entries, list(names))
    weights = {}
    for entry in entries:
        name, _, value = (word.strip() for word in entry.partition("="))
        if name not in SIDES and name not in names:
            raise ValueError(
                f"block_weights has '{entry}'; each entry is a name and a weight, such as middle = 0 or output_3 = "
                f"1.5, with commas between. This model's names are {', '.join((*SIDES, *names))}"
            )
        weights[name] = _number(entry, value)
    return {name: weights.get(name, weights.get(side, 1.0)) for name, side in names.items()}


def _forward_order(block: tuple[str, int]) -> tuple[int, int]:
    return SIDES.index(block[0]), block[1]


def _named(numbers: Sequence[str], names: Sequence[str]) -> list[str]:
    if len(numbers) not in (len(SIDES), len(names)):
        raise ValueError(
            f"block_weights has {len(numbers)} entries without names; give 3 numbers (input, middle, output), "
            f"{len(names)} (one for each block), or names with weights such as middle = 0"
        )
    order = SIDES if len(numbers) == len(SIDES) else names
    return [f"{name} = {number}" for name, number in zip(order, numbers, strict=True)]


def _number(entry: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"block_weights has '{entry}'; the weight must be a number from 0 to {_LARGEST:g}")
    return number
