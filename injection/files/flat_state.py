"""What a weight file holds -> one flat table of names, without the wrapping that training programs put around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Tables in which training programs keep a model's weights, beside the step and the optimiser's state.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
# What parallel training and compiling put before every name.
_PREFIXES = ("module.", "_orig_mod.")


def unwrapped(state: Any, groups: Sequence[str]) -> Any:
    """The table of weights in `state`, where it is plain which one that is; otherwise `state` itself.

    `groups`: the first words of the names that are looked for. A state that has any of them is not wrapped.
    """
    if not isinstance(state, Mapping) or any(_first(key) in groups for key in state):
        return state
    inside = [value for key, value in state.items() if key in _WRAPPERS and isinstance(value, Mapping)]
    return unwrapped(inside[0], groups) if len(inside) == 1 else state


def flattened(state: Any, groups: Sequence[str]) -> dict[str, Any]:
    """{"unet": {"a": t}} -> {"unet.a": t}; prefixes of parallel training go, before a group and after it.

    Empty for what is no table.
    """
    flat: dict[str, Any] = {}
    for key, value in state.items() if isinstance(state, Mapping) else ():
        named = {f"{key}.{name}": tensor for name, tensor in value.items()} if isinstance(value, Mapping) else None
        flat |= {str(key): value} if named is None else named
    flat = _without_prefix(flat, "")
    for group in groups:
        flat = _without_prefix(flat, f"{group}.")
    return flat


def _without_prefix(flat: dict[str, Any], group: str) -> dict[str, Any]:
    """The table without a prefix that every name of `group` has."""
    own = [key for key in flat if key.startswith(group)]
    for prefix in _PREFIXES:
        if own and all(key.startswith(group + prefix) for key in own):
            cut = len(group)
            shorter = {k[:cut] + k[cut + len(prefix) :] if k.startswith(group) else k: v for k, v in flat.items()}
            return _without_prefix(shorter, group)
    return flat


def _first(key: Any) -> str:
    name = str(key)
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.partition(".")[0]
