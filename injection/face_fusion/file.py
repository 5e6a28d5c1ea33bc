"""Trained projections of references, and their file: safetensors whose metadata say what it was made for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..files.own_file import check_format, reading_metadata, save_weights
from ..files.weight_check import check_weights, module_shapes
from ..unet.blocks import BLOCKS
from ..unet.fit import AttentionSize
from ..unet.keys import WIDTHS
from .layers import Layer

FORMAT, VERSION = "face-part-fusion face fusion", "1"
# Family -> width of the text that its UNet reads.
CONTEXTS: Mapping[str, int] = {"sd15": 768, "sd2": 1024, "sdxl": 2048}
# SDXL's UNet blocks with transformers: side, number, width, how many transformers.
_SDXL = (
    *(("input", number, 640, 2) for number in (4, 5)), *(("input", number, 1280, 10) for number in (7, 8)),
    ("middle", 0, 1280, 10),
    *(("output", number, 1280, 10) for number in (0, 1, 2)), *(("output", number, 640, 2) for number in (3, 4, 5)),
)  # fmt: skip


class Projection(nn.Module):
    """Keys and values of references for one cross-attention `width` wide: K = W_k r, V = W_v r."""

    def __init__(self, width: int, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.to_k = ops.Linear(width, width, bias=False, **factory)
        self.to_v = ops.Linear(width, width, bias=False, **factory)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """`hidden` (rows, n, C): normed hidden states of a reference at the same layer. Keys and values, alike."""
        return self.to_k(hidden), self.to_v(hidden)


class ReferenceProjections(nn.Module):
    """A `Projection` for every layer. `layers`: name (`Layer.name`) -> width. `family`: a key of CONTEXTS.

    Raises ValueError for an unknown family.
    """

    def __init__(self, family: str, layers: Mapping[str, int], *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        if family not in CONTEXTS:
            raise ValueError(f"'{family}' is not a family of face fusion; known are {', '.join(CONTEXTS)}")
        self.family, self.widths = family, dict(layers)
        self.layers = nn.ModuleDict({name: Projection(width, ops=ops, **factory) for name, width in layers.items()})

    @property
    def sizes(self) -> dict[str, AttentionSize]:
        return {name: AttentionSize(width, CONTEXTS[self.family]) for name, width in self.widths.items()}

    def project(self, layer: Layer, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self.layers[layer.name](hidden)


def layers_of_family(family: str) -> dict[str, int]:
    """Layer name -> width, of a checkpoint of the family. Raises ValueError for an unknown family."""
    if family == "sdxl":
        return {
            Layer(side, number, position).name: width
            for side, number, width, depth in _SDXL
            for position in range(depth)
        }  # fmt: skip
    if family not in CONTEXTS:
        raise ValueError(f"'{family}' is not a family of face fusion; known are {', '.join(CONTEXTS)}")
    return dict(_sd_layers())


def _sd_layers() -> Iterator[tuple[str, int]]:
    for block in BLOCKS:
        side, number = block.host
        level = {"input": (number - 1) // 3, "middle": 3, "output": 3 - number // 3}[side]
        yield Layer(side, number, 0).name, WIDTHS[level]


def new_projections(family: str, layers: Mapping[str, int] | None = None, seed: int = 0) -> ReferenceProjections:
    """Projections at initialisation, float32, the same for the same seed, to be trained.

    Keys have torch's initialisation, values are 0: references then take attention from the text and give nothing.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        torch.manual_seed(seed)
        module = ReferenceProjections(family, layers_of_family(family) if layers is None else layers)
        for projection in module.layers.values():
            nn.init.zeros_(projection.to_v.weight)  # type: ignore[union-attr,arg-type]
    return module


def save_projections(module: ReferenceProjections, path: str | Path) -> Path:
    """Write weights and metadata to `path`, which ends in .safetensors; missing folders are made.

    Returns the full path. Raises ValueError for another ending.
    """
    metadata = {"format": FORMAT, "version": VERSION, "family": module.family, "layers": json.dumps(module.widths)}
    return save_weights(module.state_dict(), metadata, path, "the file of projections")


def build_projections(
    weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None, source: str | Path = "the controller file", *,
    ops: Any = nn, **factory: Any,
) -> ReferenceProjections:  # fmt: skip
    """An empty module for what `metadata` say, after the check that `weights` fit it.

    `weights`: the file's state dict. `source`: the file, for messages. `ops`, `factory`: as ReferenceProjections takes
    them. Raises ValueError for another format, a newer version, an unknown family, and weights that do not fit.
    """
    family, layers = _read_metadata(metadata or {}, source)
    check_weights(
        weights, module_shapes(lambda: ReferenceProjections(family, layers)), source=source,
        advice="copy the file again, or train anew", name=f"face fusion projections of the family '{family}'",
    )  # fmt: skip
    return ReferenceProjections(family, layers, ops=ops, **factory)


def _read_metadata(metadata: Mapping[str, str], source: str | Path) -> tuple[str, dict[str, int]]:
    advice = "make one with: face-part-fusion new-controller --kind face-fusion -o FILE"
    check_format(metadata, FORMAT, VERSION, source, "holds no face fusion projections", advice)
    with reading_metadata(source):
        return metadata["family"], {str(name): int(width) for name, width in json.loads(metadata["layers"]).items()}
