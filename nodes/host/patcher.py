"""The pack's own modules under the host's memory management."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management as mm
import comfy.model_patcher
from torch import nn


class InPatcher:
    """An object on a wire with a module of the pack in a host ModelPatcher, `patcher`."""

    patcher: Any

    @property
    def module(self) -> Any:
        return self.patcher.model

    def get_models(self) -> list[Any]:
        """The host asks objects on a wire for the models that they keep alive."""
        return [self.patcher]


@dataclass(frozen=True, eq=False)
class FuseAdapter(InPatcher):
    """What travels on the FUSE_ADAPTER wire. `kind`: "A" or "B". `width`: of the encoder's tokens."""

    kind: str
    width: int
    patcher: Any


def in_patcher(module: nn.Module, load_device: Any, offload_device: Any) -> Any:
    """A ModelPatcher around a module that has its weights; the host moves them between the two devices."""
    # Read at call time: the host replaces this name at start-up when it manages memory dynamically.
    patcher_class = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher_class(module, load_device=load_device, offload_device=offload_device)


def managed(module: nn.Module, weights: dict[str, Any]) -> Any:
    """A ModelPatcher around `module` with the complete state dict `weights` loaded into it.

    Build the module with `ops=comfy.ops.manual_cast`, so that its weights follow the device and dtype of its input.
    """
    patcher = in_patcher(module, mm.get_torch_device(), mm.unet_offload_device())
    dynamic = getattr(patcher, "is_dynamic", lambda: False)()
    module.load_state_dict(weights, **({"assign": True} if dynamic else {}))
    return patcher
