"""A weight file of the host's folders as a flat state dict, read safely."""

from __future__ import annotations

import comfy.utils
from torch import Tensor

from ...injection.ip_adapter.adapter import flatten


def read_weight_file(path: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by flat name, and the file's metadata (empty for a .bin).

    Raises ValueError for a file that is damaged or holds anything but tensors.
    """
    try:
        weights, metadata = comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(
            f"{path} cannot be read as weights ({type(error).__name__}): it is cut short, is no weight file, or holds "
            "more than tensors; fetch it again from its publisher"
        ) from error
    flat = flatten(weights)
    strange = [key for key, value in flat.items() if not isinstance(value, Tensor)]
    if strange or not flat:
        raise ValueError(f"{path} holds no weights by name (first strange entry: {strange[:1]}); fetch the file again")
    return flat, metadata or {}
