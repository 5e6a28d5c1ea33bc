"""What travels on the FACE_CONTROLLER wire: the weights that let reference faces steer a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

IP_ADAPTER, FACEX = "ip-adapter", "facex"


@dataclass(frozen=True, eq=False)
class FaceController:
    """`kind`: "ip-adapter" or "facex". `family`: "sd15", "sd2" or "sdxl". `variant`: which of its kind, for messages.

    `patcher`: the host's ModelPatcher that holds the module.
    """

    kind: str
    family: str
    variant: str
    patcher: Any

    @property
    def module(self) -> Any:
        return self.patcher.model

    def get_models(self) -> list[Any]:
        """For the host, which looks for the models that an object on a wire keeps alive."""
        return [self.patcher]
