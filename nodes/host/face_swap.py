"""Face swappers in the host's care."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm

from ...injection.faces.identity import FILES
from ...injection.reliable_swap.file import read_swapper
from ...injection.reliable_swap.onnx_swapper import RECOGNISER, OnnxSwapper, read_onnx_swapper
from ...injection.reliable_swap.swapper import PublishedSwapper, Swapper
from .folders import insightface_root
from .patcher import in_patcher
from .progress import stop_if_asked

# arcface_torch's weights.
_WEIGHTS = tuple(name for name in FILES if not name.endswith(".onnx"))


@dataclass(frozen=True, eq=False)
class FaceSwapper:
    """What travels on the FACE_SWAPPER wire. `patcher`: of its weights; None where onnxruntime keeps them all."""

    swapper: Swapper
    patcher: Any = None

    def ready(self) -> Swapper:
        """The swapper, its weights on the host's compute device."""
        if self.patcher is not None:
            mm.load_models_gpu([self.patcher])
        return self.swapper

    def get_models(self) -> list[Any]:
        """The host asks objects on a wire for the models that they keep alive."""
        return [] if self.patcher is None else [self.patcher]


def load_swapper(path: str, fixer: str | None) -> FaceSwapper:
    """The swapper in a file. `fixer`: FixerNet's file, where the swapper's own lacks it.

    Raises as `read_swapper` and `read_onnx_swapper` do.
    """
    swapper: PublishedSwapper | OnnxSwapper
    if path.endswith(".onnx"):
        swapper = read_onnx_swapper(path, _recogniser((RECOGNISER,)))
        networks: list[Any] = [swapper.network, swapper.recogniser]
    else:
        swapper = read_swapper(path, _recogniser(_WEIGHTS), fixer)
        networks = [swapper.generator, swapper.recogniser]
    for network in networks:
        network.register_forward_pre_hook(stop_if_asked)
    in_torch = any(True for _ in swapper.buffers())
    device = (mm.get_torch_device(), mm.unet_offload_device())
    return FaceSwapper(swapper, in_patcher(swapper, *device) if in_torch else None)


def _recogniser(names: tuple[str, ...]) -> Path | None:
    """The first of these files in a pack's folder below models/insightface/models; None where there is none."""
    root = Path(insightface_root()) / "models"
    folders = ("*", "*/*")
    return next((p for name in names for folder in folders for p in sorted(root.glob(f"{folder}/{name}"))), None)
