"""The content of a weight file -> one flat table, key -> tensor, without the wrapping that training programs add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Tables in which training programs keep a model's weights, beside the step and the optimiser's state.
_TABLES = ("state_dict", "model_state_dict", "model", "module")
# What parallel training and compiling put before every key.
_PREFIXES = ("module.", "_orig_mod.")


def flat_state(state: Any, groups: Sequence[str], tables: Sequence[str] = _TABLES) -> dict[str, Any]:
    """{"state_dict": {"unet": {"module.a": tensor}}} -> {"unet.a": tensor}.

    state: what `read_weights` gives.
    groups: the first words of the keys that are looked for, here "unet". A table that has any of them is not wrapped.
    tables: where else the weights may lie, here "state_dict"; opened only where just one of them is there.

    Empty for what is not a table. One level of nesting is flattened; a deeper table stays a value, which the check of
    the weights reports.
    """
    flat: dict[str, Any] = {}
    for key, value in _unwrapped(state, groups, tables).items():
        nested = isinstance(value, Mapping)
        flat |= {f"{key}.{name}": tensor for name, tensor in value.items()} if nested else {str(key): value}
    for group in ("", *(f"{group}." for group in groups)):
        flat = _without_prefixes(flat, group)
    return flat


def _unwrapped(state: Any, groups: Sequence[str], tables: Sequence[str]) -> Mapping[Any, Any]:
    if not isinstance(state, Mapping):
        return {}
    if any(_first_word(key) in groups for key in state):
        return state
    inside = [value for key, value in state.items() if key in tables and isinstance(value, Mapping)]
    return _unwrapped(inside[0], groups, tables) if len(inside) == 1 else state


def _without_prefixes(flat: dict[str, Any], group: str) -> dict[str, Any]:
    """The table without the prefixes that every key of `group` has."""
    own = [key for key in flat if key.startswith(group)]
    for prefix in _PREFIXES:
        if own and all(key.startswith(group + prefix) for key in own):
            cut = len(group)
            shorter = {k[:cut] + k[cut + len(prefix) :] if k.startswith(group) else k: v for k, v in flat.items()}
            return _without_prefixes(shorter, group)
    return flat


def _first_word(key: Any) -> str:
    name = str(key)
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.partition(".")[0]
