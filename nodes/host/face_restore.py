"""Face restorers in the host's care: ONNX files of the user's, and the host's upscale models."""

from __future__ import annotations

import functools
import os
from typing import Any

import comfy.model_management as mm
from torch import Tensor

from ...injection.reliable_swap.restore import OnnxRestorer, Restorer, UpscaleRestorer, read_restorer
from .patcher import in_patcher
from .progress import stop_if_asked
from .swap_files import BY_UPSCALE_MODEL, restorer_path

# Bytes that an upscale model needs for each byte of its input and each factor of enlargement: the host's own estimate.
_WORK = 384


def restorer_of(name: str, upscale_model: Any) -> Restorer:
    """The restorer that a node's two inputs name, ready to run.

    Raises ValueError where neither or both are given, there is no file of that name, or it is something else.
    """
    path = restorer_path(name)
    if (path is None) == (upscale_model is None):
        raise ValueError(
            f"a face is restored by a file or by an upscale model, and {'neither is' if path is None else 'both are'} "
            f"given: choose a file in restorer, or set it to '{BY_UPSCALE_MODEL}' and wire Load Upscale Model into "
            "upscale_model"
        )
    if path is None:
        return UpscaleRestorer(functools.partial(_enlarged, upscale_model), float(upscale_model.scale))
    restorer, patcher = _read(path, os.stat(path).st_mtime_ns)
    if patcher is not None:
        mm.load_models_gpu([patcher])
    return restorer


@functools.lru_cache(maxsize=1)
def _read(path: str, changed: int) -> tuple[OnnxRestorer, Any]:
    """`changed`: when the file changed last, so that a new one is read again."""
    restorer = read_restorer(path)
    restorer.network.register_forward_pre_hook(stop_if_asked)
    in_torch = any(True for _ in restorer.buffers())
    patcher = in_patcher(restorer, mm.get_torch_device(), mm.unet_offload_device()) if in_torch else None
    return restorer, patcher


def _enlarged(model: Any, picture: Tensor) -> Tensor:
    """The picture (1, 3, h, w), enlarged by a host upscale model (spandrel's descriptor)."""
    stop_if_asked()
    device, memory = mm.get_torch_device(), picture.numel() * picture.element_size() * max(model.scale, 1.0) * _WORK
    patcher = getattr(model, "patcher", None)
    if patcher is None:
        # Hosts of before 0.25 give the descriptor alone.
        mm.free_memory(memory, device)
        model.to(device)
    else:
        mm.load_models_gpu([patcher], memory_required=memory)
    try:
        return model(picture.to(device)).float().cpu()
    finally:
        if patcher is None:
            model.to("cpu")
