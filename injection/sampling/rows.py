"""The rows of one model call: which picture each belongs to, and which are unconditioned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .conditionings import unconditioned_chunks


class Rows(NamedTuple):
    """A chunk of rows for each conditioning, in each chunk a row for each latent that the call computes.

    `unconditioned`: for each chunk, whether it is unconditioned. `indices`: for each row of a chunk, which of the
    sampled latents it is. `latents`: how many latents are sampled. `known`: whether the indices are; else the call
    computes some of the latents, or other numbers of them, and nothing says which.
    """

    unconditioned: tuple[bool, ...]
    indices: tuple[int, ...]
    latents: int
    known: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any], total: int, latents: int | None = None) -> Rows:
        """Those of a call with the host's `options` that has `total` rows.

        `latents`: how many are sampled, None for as many as the call has.
        """
        chunks = unconditioned_chunks(options)
        count = total // len(chunks)
        indices, sampled = _indices_in_window(options, count)
        if indices:
            return cls(chunks, indices, latents or sampled)
        return cls(chunks, tuple(range(count)), latents or count, latents in (None, count))

    def pictures(self, count: int) -> list[int]:
        """For each row, which of `count` pictures it belongs to; pictures are repeated in order.

        Raises ValueError when there are several pictures and the latents of the call are not known.
        """
        return [i for _ in self.unconditioned for i in self._of_chunk(count)]

    def take(self, count: int, empty: int = 1) -> list[int]:
        """For each row, an index into features of `count` pictures that are followed by `empty` unconditioned ones.

        Raises ValueError as `pictures` does.
        """
        conditioned = self._of_chunk(count)
        unconditioned = [count + i for i in self._of_chunk(empty)]
        return [i for is_un in self.unconditioned for i in (unconditioned if is_un else conditioned)]

    def _of_chunk(self, count: int) -> list[int]:
        if count > 1 and not self.known:
            raise ValueError(
                f"the model is called with {len(self.indices)} latents at a time while {self.latents} are sampled, and "
                "nothing says which these are: a node splits the batch in a way of its own; take it out, or use one "
                "picture for all"
            )
        return [i % count for i in self.indices]


def check_count(what: str, count: int, latents: int) -> None:
    """Raises ValueError unless `count` things serve that many sampled latents. `what`: "target has 2 pictures"."""
    if count != 1 and latents == 1:
        raise ValueError(f"{what}, but 1 latent is sampled; use one, or sample a latent of {count} pictures")
    if count not in (1, latents):
        raise ValueError(f"{what}, but {latents} latents are sampled; use one for all, or exactly {latents}")


def _indices_in_window(options: Mapping[str, Any], count: int) -> tuple[tuple[int, ...], int]:
    """Which latents the `count` rows of a chunk are, and of how many; no index where the call has all of them.

    The host's context windows say it in `context_window`, AnimateDiff-Evolved's in `ad_params`.
    """
    window = options.get("context_window")
    if window is not None and getattr(window, "dim", None) == 0:
        # A frame before the window that the host adds for continuity and drops afterwards.
        anchor = getattr(window, "causal_anchor_index", None)
        indices = (*(() if anchor is None or anchor < 0 else (anchor,)), *window.index_list)
        if len(indices) == count:
            return tuple(map(int, indices)), int(window.total_frames)
    others = options.get("ad_params") or {}
    indices = tuple(others.get("sub_idxs") or ())
    return (indices, int(others["full_length"])) if len(indices) == count and "full_length" in others else ((), 0)
