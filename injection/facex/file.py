"""A FaceX controller as one safetensors file that says what it was made for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from .adapters import Source
from .model import FaceX, FaceXConfig

FORMAT, VERSION = "face-part-fusion facex controller", "1"


def new_controller(config: FaceXConfig, seed: int = 0) -> FaceX:
    """A controller at initialisation, float32: the same for the same seed. It changes no model's output yet.

    Linear layers and convolutions as torch makes them, learned tokens normal with deviation 0.02, and the projection
    after each new cross-attention zero (section 3.4).
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        torch.manual_seed(seed)
        module = FaceX(config)
        with torch.no_grad():
            for tokens in (module.sd.position, module.sd.empty, module.regions.empty):
                tokens.normal_(0, 0.02)
            for block in module.control.blocks.values():
                nn.init.zeros_(block.zero.weight)  # type: ignore[arg-type,union-attr]
                nn.init.zeros_(block.zero.bias)  # type: ignore[arg-type,union-attr]
    return module


def save_controller(module: FaceX, path: str | Path) -> Path:
    """Write weights and metadata; folders are made. Returns the full path."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"the controller's file is '{path.name}'; end its name in .safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.detach().cpu().contiguous() for name, weight in module.state_dict().items()}
    save_file(weights, path, metadata_of(module.config))
    return path.resolve()


def metadata_of(config: FaceXConfig) -> dict[str, str]:
    """What the file of such a controller says of itself."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "family": config.family,
        "channels": json.dumps(dict(config.channels)),
        "sources": json.dumps({name: asdict(source) for name, source in config.sources.items()}),
    }


def is_facex(metadata: Mapping[str, str] | None) -> bool:
    """Whether a file with this safetensors metadata says that it is a FaceX controller."""
    return (metadata or {}).get("format") == FORMAT


def read_config(metadata: Mapping[str, str] | None) -> FaceXConfig:
    """What a file says of itself. Raises ValueError when it is no controller of ours or of a newer version."""
    if not is_facex(metadata):
        came = (metadata or {}).get("format", "nothing")
        raise ValueError(
            f"the file's metadata says format '{came}', needed is '{FORMAT}'; make one with: face-part-fusion "
            "new-controller -o FILE"
        )
    found = dict(metadata or {})
    if found.get("version") != VERSION:
        raise ValueError(
            f"the controller file has version {found.get('version')} and this pack reads {VERSION}; update the pack"
        )
    try:
        channels = {str(name): int(width) for name, width in json.loads(found["channels"]).items()}
        sources = {str(name): Source(**source) for name, source in json.loads(found["sources"]).items()}
        sources["region"], sources["inpaint"]  # every controller has these two
        return FaceXConfig(found["family"], channels, sources)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ValueError(f"the controller file's metadata is damaged ({problem!r}); copy the file anew") from problem


def build_controller(
    weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None, *, ops: Any = nn, **place: Any
) -> FaceX:
    """An empty module for the file's config, after every key and shape in `weights` was found to fit it.

    Raises ValueError naming what is missing, unknown, of another shape or no finite float, and for an unknown family.
    """
    config = read_config(metadata)
    with torch.device("meta"):
        needed = {name: tuple(weight.shape) for name, weight in FaceX(config).state_dict().items()}
    missing = sorted(needed.keys() - weights.keys())
    unknown = sorted(weights.keys() - needed.keys())
    if missing or unknown:
        first = f"lacks {missing[0]}" if missing else f"has {unknown[0]}, which is not known"
        raise ValueError(
            f"the controller file {first} ({len(missing)} keys missing, {len(unknown)} unknown) for the family "
            f"'{config.family}'; it was not written whole, copy it anew"
        )
    for name, shape in needed.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"the controller file has {name} of shape {tuple(weights[name].shape)}; needed is {shape}")
        _check_values(name, weights[name])
    return FaceX(config, ops=ops, **place)


def _check_values(name: str, weight: Tensor) -> None:
    real = weight.is_floating_point()
    if not real or not bool(weight.isfinite().all()):
        came = "holds values that are not finite" if real else f"is of type {weight.dtype}"
        raise ValueError(f"the controller file's {name} {came}; needed are finite floats. Copy the file or train anew")
