"""A patch of `injection.sampling` in the host's MODEL."""

from __future__ import annotations

from typing import Any

from comfy.patcher_extension import WrappersMP, add_wrapper_with_key, get_wrappers_with_key

from ...injection.sampling.conditionings import around_conditionings
from ...injection.sampling.run import SamplingPatch

KEY = "face_part_fusion"


def wrap_sampling(model: Any, patch: SamplingPatch) -> None:
    """Give `patch` a state of its own in every sampling run of `model`, a clone that is being patched."""
    _wrap(model, WrappersMP.OUTER_SAMPLE, patch.around_sampling)
    _wrap(model, WrappersMP.APPLY_MODEL, patch.around_model)
    # What it notes serves all patches.
    if not get_wrappers_with_key(WrappersMP.CALC_COND_BATCH, KEY, model.model_options, is_model_options=True):
        _wrap(model, WrappersMP.CALC_COND_BATCH, around_conditionings)


def _wrap(model: Any, kind: str, wrapper: Any) -> None:
    # In the options, not in the patcher: there they also act on direct calls of the model.
    add_wrapper_with_key(kind, KEY, wrapper, model.model_options, is_model_options=True)
