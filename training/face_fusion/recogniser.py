"""A face recogniser that judges: OpenVINO's face-reidentification-retail-0095, on crops as `photographs` cuts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .photographs import INNER

_NAME = "face-reidentification-retail-0095.xml"
# Side of its input in pixels.
_SIDE = 128


class Recogniser:
    """`folder` holds face-reidentification-retail-0095.xml and .bin."""

    def __init__(self, folder: Path) -> None:
        import openvino

        core: Any = openvino.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads()})
        self._net = core.compile_model(str(folder / _NAME), "CPU")

    def __call__(self, crops: Tensor) -> Tensor:
        """`crops` (N, S, S) grey, float32, 0..1 -> embeddings (N, 256) of length 1."""
        border = round((1 - INNER) / 2 * crops.shape[-1])
        inner = crops[:, None, border : crops.shape[-1] - border, border : crops.shape[-1] - border]
        sized = functional.interpolate(inner, (_SIDE, _SIDE), mode="bicubic", align_corners=False).clamp(0, 1) * 255
        rows = [self._net([one[None].expand(1, 3, -1, -1).numpy()])[0].reshape(-1) for one in sized]
        return functional.normalize(torch.stack([torch.from_numpy(row) for row in rows]), dim=1)
