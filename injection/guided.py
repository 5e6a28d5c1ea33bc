"""Which conditionings of a sampling are unconditioned: told by the names that the guider gives to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The mark of rows for the negative prompt; in the host's cond_or_uncond, the usual place of its conditioning.
UNCONDITIONED = 1


def chunk_kinds(lists: Sequence[Any], named: Mapping[str, Any]) -> tuple[int, ...]:
    """For each conditioning that one call computes, UNCONDITIONED or 0.

    `lists`: what the host's calc_cond_batch gets, a list of entries (or None) for each. `named`: the guider's lists by
    name; one whose name says negative is unconditioned, whatever its place in the call (a guider with two prompts has
    it first, an attention guidance alone). A list that the guider does not have is told by its place: the second is.
    """
    return tuple(int(_is_negative(own, named, place == UNCONDITIONED)) for place, own in enumerate(lists))


def _is_negative(own: Any, named: Mapping[str, Any], usual: bool) -> bool:
    for name, theirs in named.items():
        if own and theirs and (own is theirs or _mark(own) == _mark(theirs)):
            return "negative" in name
    return usual


def _mark(entries: Any) -> Any:
    # Entries that the host adds to a list, for areas of others, come after its own and carry the others' marks.
    return entries[0].get("uuid", id(entries))
