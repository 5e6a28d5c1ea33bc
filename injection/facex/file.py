"""A FaceX controller as one safetensors file, whose metadata say what it was made for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..files.own_file import check_format, reading_metadata, save_weights
from ..files.weight_check import check_weights, module_shapes
from .adapters import Source
from .model import FaceX, FaceXConfig

FORMAT, VERSION = "face-part-fusion facex controller", "1"


def new_controller(config: FaceXConfig, seed: int = 0) -> FaceX:
    """A controller at initialisation, float32: the same for the same seed. It does not change a model's output yet.

    Linear layers and convolutions have torch's initialisation, learned tokens a normal one with deviation 0.02, and the
    projection after each new cross-attention is zero (section 3.4).
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
    """Write weights and metadata to `path`, which ends in .safetensors; missing folders are made.

    Returns the full path. Raises ValueError for another ending.
    """
    return save_weights(module.state_dict(), metadata_of(module.config), path, "the controller's file")


def metadata_of(config: FaceXConfig) -> dict[str, str]:
    """The safetensors metadata of such a controller's file."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "family": config.family,
        "channels": json.dumps(dict(config.channels)),
        "sources": json.dumps({name: asdict(source) for name, source in config.sources.items()}),
    }


def is_facex(metadata: Mapping[str, str] | None) -> bool:
    """Whether safetensors metadata are those of a FaceX controller."""
    return (metadata or {}).get("format") == FORMAT


def read_config(metadata: Mapping[str, str] | None, source: str | Path = "the controller file") -> FaceXConfig:
    """The config in a file's metadata. Raises ValueError for another format and for a newer version.

    source: the file, for messages.
    """
    metadata = metadata or {}
    advice = "make one with: face-part-fusion new-controller -o FILE"
    check_format(metadata, FORMAT, VERSION, source, "is not a FaceX controller", advice)
    with reading_metadata(source):
        channels = {str(name): int(width) for name, width in json.loads(metadata["channels"]).items()}
        sources = {str(name): Source(**each) for name, each in json.loads(metadata["sources"]).items()}
        sources["region"], sources["inpaint"]  # every controller has these two
        return FaceXConfig(metadata["family"], channels, sources)


def build_controller(
    weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None, source: str | Path = "the controller file", *,
    ops: Any = nn, **factory: Any,
) -> FaceX:  # fmt: skip
    """An empty module for the config in `metadata`, after the check that `weights` fit it.

    weights: the file's state dict.
    source: the file, for messages.
    ops, factory: as `FaceX` takes them.

    Raises ValueError as `read_config` and `check_weights` do, and for an unknown family.
    """
    config = read_config(metadata, source)
    check_weights(
        weights, module_shapes(lambda: FaceX(config)), source=source, advice="copy the file again, or train anew",
        name=f"a FaceX controller of the family '{config.family}'",
    )  # fmt: skip
    return FaceX(config, ops=ops, **factory)
