"""Both controllers in the large node, half precision and partly loaded: `controllers_precision.py HOST BASE PHOTO`."""

from __future__ import annotations

from typing import Any

from host import finish, start

start()

import torch  # noqa: E402
from face_part_fusion.injection.facex.file import metadata_of  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from omni_people import BASE, IP, TRAINED, model, omni, sample  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import small_unet  # noqa: E402
from torch import Tensor  # noqa: E402

KINDS = {"ip": IP, "facex": TRAINED}


def sampled(given: dict[str, Any], on: Any = model) -> Tensor:
    made = omni("face swap", on, shown="mask out", **given)
    return sample(*made[:4], steps=1).float()


def half_weights(name: str, given: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The same controller from a file in half precision."""
    module, file = given["controller"].module, BASE / f"{name} {dtype}.safetensors"
    weights = {key: weight.to(dtype) for key, weight in module.state_dict().items()}
    save_file(weights, file, metadata_of(module.config) if name == "facex" else None)
    return given | {"controller": load_controller(str(file))}


def precision(name: str) -> dict[str, float]:
    """How far half precision leads from float32, over what the controller changes."""
    given, found = KINDS[name], {}
    full, effect = sampled(given), {torch.float32: sampled(given) - sampled({})}
    for dtype in (torch.bfloat16, torch.float16):
        low = small_unet("sd15", dtype=dtype)
        effect[dtype] = sampled(given, low) - sampled({}, low)
        found[f"model {dtype}"] = apart(effect[dtype], effect[torch.float32])
        found[f"weights {dtype}"] = float((sampled(half_weights(name, given, dtype)) - full).std()) / float(
            effect[torch.float32].std()
        )
    return found


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).std() / other.std())


def partly_loaded(name: str) -> dict[str, float]:
    """Weights cast for each use, as the host does with what did not fit into the card."""
    given, full = KINDS[name], sampled(KINDS[name])
    modules = [*model.model.modules(), *given["controller"].module.modules()]
    casting = [m for m in modules if hasattr(m, "comfy_cast_weights")]
    before = [m.comfy_cast_weights for m in casting]
    for module in casting:
        module.comfy_cast_weights = True
    cast = sampled(given)
    for module, was in zip(casting, before, strict=True):
        module.comfy_cast_weights = was
    return {"apart": float((cast - full).abs().max() / full.std()), "modules": float(before.count(False))}


with torch.inference_mode():
    finish({name: {"precision": precision(name), "partly loaded": partly_loaded(name)} for name in KINDS})
