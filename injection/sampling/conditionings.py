"""Which conditionings of a sampling are unconditioned: told by the names that the guider gives to them.

`guided` tells the calls of one sampling of its guider; `around_conditionings` then notes, for every call, which of its
conditionings are unconditioned; `chunks_of` says so for the rows of a batch. All patches share what is noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# The mark of rows for the negative prompt; in the host's cond_or_uncond, the usual place of its conditioning.
UNCONDITIONED = 1
_GUIDER, _KINDS = "face_part_fusion_guider", "face_part_fusion_kinds"


@dataclass(frozen=True, eq=False)
class _Held:
    """The guider in the host's options, which hosts before 0.14 copy deeply with every clone of a model."""

    guider: Any

    def __deepcopy__(self, memo: Any) -> _Held:
        return self


@contextmanager
def guided(guider: Any, **more: Any) -> Iterator[None]:
    """While inside, the guider and `more` are in the transformer options of its sampling."""
    before = guider.model_options
    inner = {**before.get("transformer_options", {}), _GUIDER: _Held(guider), **more}
    guider.model_options = {**before, "transformer_options": inner}
    try:
        yield
    finally:
        guider.model_options = before


def around_conditionings(
    executor: Any, model: Any, conds: Any, x: Any, timestep: Any, options: dict[str, Any], *more: Any
) -> Any:
    """CALC_COND_BATCH: notes which of `conds` are unconditioned, since their order is the guider's own."""
    inner = options.get("transformer_options", {})
    named = getattr(getattr(inner.get(_GUIDER), "guider", None), "conds", None) or {}
    options = {**options, "transformer_options": {**inner, _KINDS: chunk_kinds(conds, named)}}
    return executor(model, conds, x, timestep, options, *more)


def chunks_of(options: Mapping[str, Any]) -> tuple[int, ...]:
    """For each chunk of a batch's rows, UNCONDITIONED or another number, from the host's transformer options."""
    chunks, kinds = tuple(options.get("cond_or_uncond", (0,))), options.get(_KINDS)
    return chunks if kinds is None else tuple(kinds[chunk] for chunk in chunks)


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
