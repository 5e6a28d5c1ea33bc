"""A layer of `injection.sampling.masked_fusion` in the host's MODEL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ...injection.sampling.masked_fusion import FusionLayer, HeldRegions

KEY = "face_part_fusion.masked_fusion"


def add_layer(model: Any, *layers: FusionLayer) -> Any:
    """A clone of the model with these layers over those that it has already."""
    clone = model.clone()
    before = [la for wrapper in clone.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY) for la in wrapper.layers]
    clone.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, HeldRegions((*before, *layers), _attach))
    return clone


def _attach(guider: Any, wrapper: Callable[..., Tensor]) -> None:
    # The guider's model_options are a copy that the host makes for one sampling run and drops after it.
    add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, wrapper, guider.model_options, is_model_options=True)
