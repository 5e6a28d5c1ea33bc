"""What travels on the FACE_CONTROLLER wire: the weights that let reference faces steer a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .host.patcher import InPatcher

IP_ADAPTER, FACEX = "ip-adapter", "facex"


@dataclass(frozen=True, eq=False)
class FaceController(InPatcher):
    """`kind`: "ip-adapter" or "facex". `family`: "sd15", "sd2" or "sdxl". `variant`: which of its kind, for messages.

    `patcher`: the host's ModelPatcher that holds the module.
    """

    kind: str
    family: str
    variant: str
    patcher: Any
