"""FuseAnyPart's two published checkpoint layouts: recognised by keys, checked key by key, split into UNet and adapter.

A, of the inference program (the file `fap.bin`): {"image_proj": {}, "image_proj2": {}, "unet": {}}. B, of the training
program: flat, `unet.*` and `image_proj_model.*`. Either may also be flat or nested the other way, lie in a table such
as "state_dict", or have "module." before its keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..files.families import family, unet_family
from ..files.flat_state import flat_state
from ..files.weight_check import check_weights, listed, module_shapes, size_of
from ..files.weight_file import read_weights
from ..unet.blocks import BLOCKS, Block
from ..unet.keys import CHANNELS_IN, CONTEXT, WIDTHS, Shape, host_unet, unet_shapes
from ..unet.projections import FeatureProjection, Resampler
from .adapters import CROSS_ATTENTION, RESNET, Adapter, CrossAttentionAdapter, ResnetAdapter

# What to do with a path that holds no weights, for messages.
ADVICE = "take a FuseAnyPart weight file (.bin, .pt, .pth or .safetensors) or a folder that the training program saved"
_GROUPS = ("unet", "image_proj", "image_proj2", "image_proj_model")
# Kind -> parts of keys that only this kind has; the weight whose second dimension is the encoder's width.
_MARKS = {CROSS_ATTENTION: ("image_proj2.", ".image_projector."), RESNET: ("image_proj_model.", ".conv1d.")}
_WIDTH_KEY = {CROSS_ATTENTION: "image_proj2.proj.0.weight", RESNET: "image_proj_model.proj_in.weight"}
# Published width of the encoder's tokens, taken where that weight is missing, which the check then reports.
_ENCODER_WIDTH = 1280
_NEEDED = (
    "needed is FuseAnyPart's fap.bin (image_proj, image_proj2, unet), a conversion of it, or what its training "
    "program saved (unet, image_proj_model)"
)


@dataclass(frozen=True, eq=False)
class FuseCheckpoint:
    """A checked FuseAnyPart checkpoint.

    kind: "A" or "B" (`adapters`).
    width: of the encoder's tokens.
    widths: channels of the UNet's four levels.
    unet: all its weights in diffusers names, input channels latent, masked latent, mask.
    adapter: the complete state dict of a `CrossAttentionAdapter` or `ResnetAdapter`.
    flat: every tensor of the file by its full key.
    """

    kind: str
    width: int
    widths: tuple[int, ...]
    unet: dict[str, Tensor]
    adapter: dict[str, Tensor]
    flat: dict[str, Tensor]

    @property
    def channels(self) -> dict[str, int]:
        """Block name -> its width."""
        layer = {CROSS_ATTENTION: "image_projector", RESNET: "conv1d"}[self.kind]
        return {b.name: len(self.adapter[f"{layer}.{b.name}.weight"]) for b in BLOCKS}

    def empty_adapter(self, *, ops: Any = torch.nn, **factory: Any) -> Adapter:
        """An adapter of this kind and these sizes, which takes `adapter` as its state dict."""
        if self.kind == CROSS_ATTENTION:
            return CrossAttentionAdapter(self.channels, self.width, CONTEXT, ops=ops, **factory)
        return ResnetAdapter(self.channels, self.width, CONTEXT, ops=ops, **factory)

    @property
    def dtype(self) -> torch.dtype:
        """Of the adapter's weights."""
        return next(iter(self.adapter.values())).dtype

    def host_unet(self) -> dict[str, Tensor]:
        """The UNet's weights in LDM names, input channels latent, mask, masked latent, as ComfyUI needs them."""
        return host_unet(self.unet, self.widths)


def load_checkpoint(path: str | Path, progress: Callable[[int, int], None] | None = None) -> FuseCheckpoint:
    """The checkpoint in a weight file or training folder. Raises as `read_weights` and `read_checkpoint` do."""
    return read_checkpoint(read_weights(path, ADVICE), str(path), progress)


def read_checkpoint(state: Any, source: str, progress: Callable[[int, int], None] | None = None) -> FuseCheckpoint:
    """Recognise, check and split the content of a weight file.

    state: what `read_weights` gives.
    source: its name, for messages.
    progress: called with the tensors checked so far and all of them.

    Variant A's `image_proj`, a resampler, is checked and then not used: the published inference program computes its
    tokens and drops them. Variant B's alphas are multiplied into the layers that they scale. Raises ValueError for
    another family, and as `check_weights` does.
    """
    flat = flat_state(state, _GROUPS)
    if not flat:
        came = "an empty table" if isinstance(state, Mapping) else f"a {type(state).__name__}"
        raise ValueError(f"{source} holds {came} and no named weights; {_NEEDED}")
    kind = _kind(flat, source)
    _check_family(flat, source)
    width = size_of(flat, _WIDTH_KEY[kind], 1, _ENCODER_WIDTH)
    widths = tuple(size_of(flat, f"unet.down_blocks.{i}.resnets.0.conv1.weight", 0, w) for i, w in enumerate(WIDTHS))
    check_weights(
        flat, _expected(kind, width, widths), source=source, name=f"FuseAnyPart variant {kind}", progress=progress,
        advice="fetch the file again, or convert the published one",
    )  # fmt: skip
    unet = {name: flat[f"unet.{name}"] for name in unet_shapes(widths)}
    adapter = dict(_adapter_a(flat) if kind == CROSS_ATTENTION else _adapter_b(flat))
    return FuseCheckpoint(kind, width, widths, unet, adapter, flat)


def _kind(flat: Mapping[str, Any], source: str) -> str:
    kinds = [kind for kind, marks in _MARKS.items() if any(mark in key for key in flat for mark in marks)]
    if kinds and any(key.startswith("unet.") for key in flat):
        return kinds[0]
    came = family(flat) or _unknown(flat)
    hint = "; FuseAnyPart's UNet has 9 and adapter weights beside it" if "input channels" in came else ""
    raise ValueError(f"{source} is {came}{hint}; {_NEEDED}")


def _check_family(flat: Mapping[str, Any], source: str) -> None:
    came = unet_family({key.removeprefix("unet."): value for key, value in flat.items() if key.startswith("unet.")})
    if came and (" SD1.5 UNet in diffusers" not in came or not came.endswith(f" {CHANNELS_IN} input channels")):
        raise ValueError(
            f"the UNet in {source} is {came}; FuseAnyPart's is an SD1.5 UNet in diffusers naming with {CHANNELS_IN} "
            "input channels (4 latent, 4 masked latent, 1 mask)"
        )


def _unknown(flat: Mapping[str, Any]) -> str:
    tables = [key for key, value in flat.items() if isinstance(value, Mapping)]
    inside = f", with further tables in {listed(tables)}" if tables else ""
    return f"weights of an unknown kind ({len(flat)} tensors, the first is '{next(iter(flat))}'{inside})"


def _expected(kind: str, width: int, widths: tuple[int, ...]) -> dict[str, Shape]:
    """Full key -> shape of every tensor of a file."""
    shapes = {f"unet.{name}": shape for name, shape in unet_shapes(widths).items()}
    resampler = module_shapes(lambda: Resampler(width_in=width, width_out=CONTEXT))
    channels = {block: shapes[f"unet.{block.diffusers_resnet}.conv2.bias"] for block in BLOCKS}
    if kind == CROSS_ATTENTION:
        shapes |= {f"image_proj.{name}": shape for name, shape in resampler.items()}
        projection = module_shapes(lambda: FeatureProjection(width, CONTEXT))
        shapes |= {f"image_proj2.{name}": shape for name, shape in projection.items()}
        for block, size in channels.items():
            projector = _projector(block)
            shapes |= {f"{projector}.weight": (*size, CONTEXT), f"{projector}.bias": size}
        return shapes
    shapes |= {f"image_proj_model.{name}": shape for name, shape in resampler.items()}
    for block, size in channels.items():
        resnet = f"unet.{block.diffusers_resnet}"
        shapes |= {f"{resnet}.alpha": (), f"{resnet}.conv1d.weight": (*size, width, 1), f"{resnet}.conv1d.bias": size}
    return shapes


def _projector(block: Block) -> str:
    return f"unet.{block.diffusers_cross_attention}.processor.image_projector"


def _adapter_a(flat: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from ((name, tensor) for name, tensor in flat.items() if name.startswith("image_proj2."))
    for block in BLOCKS:
        for part in ("weight", "bias"):
            yield f"image_projector.{block.name}.{part}", flat[f"{_projector(block)}.{part}"]


def _adapter_b(flat: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from ((name, tensor) for name, tensor in flat.items() if name.startswith("image_proj_model."))
    for block in BLOCKS:
        resnet = f"unet.{block.diffusers_resnet}"
        alpha = flat[f"{resnet}.alpha"].float()
        for part in ("weight", "bias"):
            tensor = flat[f"{resnet}.conv1d.{part}"]
            scaled = (alpha * tensor.float()).to(tensor.dtype)
            yield f"conv1d.{block.name}.{part}", scaled[..., 0] if part == "weight" else scaled
