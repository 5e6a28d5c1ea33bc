"""The rows of one model call: which picture each belongs to, and which are unconditioned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .conditionings import unconditioned_chunks


class Rows(NamedTuple):
    """A chunk of rows for each conditioning, in each chunk a row for each sampled latent.

    `unconditioned`: for each chunk, whether it is unconditioned. `latents`: how many latents are sampled.
    """

    unconditioned: tuple[bool, ...]
    latents: int

    @classmethod
    def of(cls, options: Mapping[str, Any], total: int) -> Rows:
        """Those of a call with the host's `options` that has `total` rows."""
        chunks = unconditioned_chunks(options)
        return cls(chunks, total // len(chunks))

    def pictures(self, count: int) -> list[int]:
        """For each row, which of `count` pictures it belongs to; pictures are repeated in order."""
        return [i % count for _ in self.unconditioned for i in range(self.latents)]

    def take(self, count: int, empty: int = 1) -> list[int]:
        """For each row, an index into features of `count` pictures that are followed by `empty` unconditioned ones."""
        conditioned = [i % count for i in range(self.latents)]
        unconditioned = [count + i % empty for i in range(self.latents)]
        return [i for is_un in self.unconditioned for i in (unconditioned if is_un else conditioned)]


def check_count(what: str, count: int, latents: int) -> None:
    """Raises ValueError unless `count` things serve that many sampled latents. `what`: "target has 2 pictures"."""
    if count not in (1, latents):
        raise ValueError(f"{what}, but {latents} latents are sampled; use one for all, or exactly {latents}")
