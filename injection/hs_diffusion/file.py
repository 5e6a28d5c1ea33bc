"""A layout-conditioned latent diffusion model as one safetensors file, whose metadata say its sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..files.own_file import check_format, reading_metadata, save_weights
from ..files.weight_check import check_weights, module_shapes
from .codec import Codec, CodecShape
from .layout_unet import LayoutUNet, UNetShape

FORMAT, VERSION = "face-part-fusion head layout diffusion", "1"
# CompVis' schedule for semantic synthesis: linear in the roots of the betas.
BETAS = (0.0015, 0.0205)
_CODEC, _MODEL = "codec.", "model."


@dataclass(frozen=True)
class DiffusionConfig:
    """`scale`: factor on latents after which they have a variance near 1."""

    unet: UNetShape
    codec: CodecShape
    scale: float


def save_diffusion(
    config: DiffusionConfig, unet: Mapping[str, Tensor], codec: Mapping[str, Tensor], path: Path
) -> None:
    """`unet`: the state dict of a `LayoutUNet`, `codec`: of a `Codec`."""
    weights = {_MODEL + k: v for k, v in unet.items()} | {_CODEC + k: v for k, v in codec.items()}
    save_weights(weights, metadata_of(config), path, "the model's file")


def metadata_of(config: DiffusionConfig) -> dict[str, str]:
    return {
        "format": FORMAT, "version": VERSION, "unet": json.dumps(asdict(config.unet)),
        "codec": json.dumps(asdict(config.codec)), "scale": repr(config.scale),
    }  # fmt: skip


def read_config(metadata: Mapping[str, str], source: str | Path) -> DiffusionConfig:
    """The sizes in a file's metadata. Raises ValueError for another format, a newer version and damaged metadata."""
    advice = "train one with: python -m face_part_fusion.training.ldm, or load other checkpoints with Load Checkpoint"
    check_format(metadata, FORMAT, VERSION, source, "is not a head layout diffusion model", advice)
    with reading_metadata(source):
        unet, codec = (_shape_of(k, json.loads(metadata[n])) for k, n in ((UNetShape, "unet"), (CodecShape, "codec")))
        config = DiffusionConfig(unet, codec, float(metadata["scale"]))
        if not 0 < config.scale < float("inf") or len(config.unet.attends) != len(config.unet.widths):
            raise ValueError(f"scale {config.scale}, {config.unet}")
        return config


def _shape_of(kind: type, values: Mapping[str, Any]) -> Any:
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def checked_weights(
    weights: Mapping[str, Tensor], config: DiffusionConfig, source: str | Path
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state dicts of LayoutUNet and Codec, key by key. Raises ValueError as `check_weights` does."""
    shapes = module_shapes(lambda: _Both(config))
    check_weights(
        weights, shapes, source=source, name="a head layout diffusion model of the sizes in its metadata",
        advice="copy the file again, or train anew",
    )  # fmt: skip
    parts = ({k.removeprefix(p): v for k, v in weights.items() if k.startswith(p)} for p in (_MODEL, _CODEC))
    unet, codec = parts
    return unet, codec


class _Both(nn.Module):
    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.model, self.codec = LayoutUNet(config.unet), Codec(config.codec)
