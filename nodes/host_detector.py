"""The built-in detector under the host's memory management: one net, loaded and unloaded by the host like any model."""

from __future__ import annotations

import functools
from typing import Any

import comfy.model_management as mm

from ..detectors.builtin import BuiltinDetector
from .host.patcher import held
from .host.progress import stop_if_asked


@functools.cache
def _held() -> tuple[BuiltinDetector, Any]:
    offload = mm.text_encoder_offload_device()
    detector = BuiltinDetector(offload)
    for net in detector.net.children():
        net.register_forward_pre_hook(stop_if_asked)
    return detector, held(detector.net, mm.text_encoder_device(), offload)


def builtin_detector() -> BuiltinDetector:
    """The pack's one built-in detector, its net on the device where the host wants it to run."""
    detector, patcher = _held()
    mm.load_models_gpu([patcher])
    return detector
