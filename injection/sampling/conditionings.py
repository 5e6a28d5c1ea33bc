"""The conditionings of a model call: which are unconditioned, by the names that the guider gives them, and their areas.

`in_options` makes the guider known to the model calls of its sampling run. `around_conditionings` then notes for every
call which of its conditionings are unconditioned, which `unconditioned_chunks` reads, and the area of each, which
`noted_areas` reads. All patches share what is noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .areas import NotedAreas, note_areas

# Where the conditioning of the negative prompt usually stands among those of a call, counted from 0.
_USUAL = 1
_GUIDER, _UNCONDITIONED = "face_part_fusion_guider", "face_part_fusion_unconditioned"
_AREAS = "face_part_fusion_areas"


@dataclass(frozen=True, eq=False)
class _GuiderReference:
    """The guider in the host's options, which hosts before 0.14 copy deeply with every clone of a model."""

    guider: Any

    def __deepcopy__(self, memo: Any) -> _GuiderReference:
        return self


@contextmanager
def in_options(guider: Any, key: str, value: Any) -> Iterator[None]:
    """While inside, `guider`, and `value` under `key`, are in the options of every model call of its sampling run."""
    before = guider.model_options
    inner = {**before.get("transformer_options", {}), _GUIDER: _GuiderReference(guider), key: value}
    guider.model_options = {**before, "transformer_options": inner}
    try:
        yield
    finally:
        guider.model_options = before


def around_conditionings(
    executor: Any, model: Any, conds: Any, x: Any, timestep: Any, options: dict[str, Any], *more: Any
) -> Any:
    """CALC_COND_BATCH: notes the areas of `conds` and which are unconditioned, as their order is the guider's own."""
    inner = options.get("transformer_options", {})
    named = getattr(getattr(inner.get(_GUIDER), "guider", None), "conds", None) or {}
    noted = {
        _UNCONDITIONED: which_unconditioned(conds, named),
        _AREAS: note_areas(conds, (int(x.shape[-2]), int(x.shape[-1]))),
    }
    return executor(model, conds, x, timestep, {**options, "transformer_options": {**inner, **noted}}, *more)


def noted_areas(options: Mapping[str, Any]) -> NotedAreas | None:
    """The areas of the conditionings; None when a call with the host's `options` is not part of a sampling run."""
    return options.get(_AREAS)


def unconditioned_chunks(options: Mapping[str, Any]) -> tuple[bool, ...]:
    """For each chunk of a batch's rows, one for each conditioning, whether it is unconditioned; from host options."""
    chunks, noted = options.get("cond_or_uncond", (0,)), options.get(_UNCONDITIONED)
    if noted is None:
        return tuple(chunk == _USUAL for chunk in chunks)
    return tuple(noted[chunk] for chunk in chunks)


def which_unconditioned(conds: Sequence[Any], named: Mapping[str, Any]) -> tuple[bool, ...]:
    """For each conditioning that one call computes, whether it is unconditioned.

    `conds`: what the host's calc_cond_batch gets, a list of entries (or None) for each conditioning. `named`: the
    guider's lists by name; one whose name contains "negative" is unconditioned, whatever its place in the call (a
    guider with two prompts has it first, an attention guidance alone). For a list that the guider does not have, the
    place decides: the second one is unconditioned.
    """
    return tuple(_is_negative(entries, named, i == _USUAL) for i, entries in enumerate(conds))


def _is_negative(entries: Any, named: Mapping[str, Any], otherwise: bool) -> bool:
    for name, others in named.items():
        if entries and others and (entries is others or _mark(entries) == _mark(others)):
            return "negative" in name
    return otherwise


def _mark(entries: Any) -> Any:
    # Entries that the host adds to a list, for areas of others, come after its own and carry the others' marks.
    return entries[0].get("uuid", id(entries))
