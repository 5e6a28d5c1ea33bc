"""One pass over a set after another, each in an order of its own, that can be left off anywhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator


class Order:
    """Draws from `random`, from which others may draw in between."""

    def __init__(self, random: Generator) -> None:
        self.random = random
        # The generator before the order of this pass was drawn; how many of the set; the place in the order.
        self._before, self._count, self._at = random.get_state(), 0, 0
        self._numbers: list[int] = []

    @property
    def over(self) -> bool:
        """Whether the next number is of another pass."""
        return self._at >= self._count

    def take(self, count: int, batch: int) -> list[int]:
        """The next `batch` numbers of `count`, all of one pass. Raises ValueError for fewer than a batch."""
        if not 0 < batch <= count:
            raise ValueError(f"a batch of {batch} cannot be taken from a set of {count}; choose a smaller batch")
        if count != self._count or self._at + batch > count:
            self._begin(count)
        numbers = self._numbers[self._at : self._at + batch]
        self._at += batch
        return numbers

    def state_dict(self) -> dict[str, Any]:
        return {"now": self.random.get_state(), "before": self._before, "count": self._count, "at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.random.set_state(state["before"])
        self._before, self._count, self._at = state["before"], 0, 0
        if state["count"]:
            self._begin(state["count"])
        self._at = state["at"]
        self.random.set_state(state["now"])

    def _begin(self, count: int) -> None:
        self._before, self._count, self._at = self.random.get_state(), count, 0
        self._numbers = torch.randperm(count, generator=self.random).tolist()
