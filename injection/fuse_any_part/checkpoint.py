"""FuseAnyPart's two published checkpoint layouts: recognised by keys, checked key by key, split into UNet and adapter.

A, of the inference program (the file `fap.bin`): {"image_proj": {}, "image_proj2": {}, "unet": {}}. B, of the training
program: flat, `unet.*` and `image_proj_model.*`. Either may also be flat or nested the other way, lie in a table such
as "state_dict", or have "module." before its names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..files.families import family, unet_family
from ..files.flat_state import flattened, unwrapped
from ..unet.blocks import BLOCKS
from ..unet.keys import CHANNELS_IN, CONTEXT, WIDTHS, Shapes, host_unet, unet_shapes
from ..unet.projections import FeatureProjection, Resampler
from .adapters import CROSS_ATTENTION, RESNET

_PRECISIONS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_GROUPS = ("unet", "image_proj", "image_proj2", "image_proj_model")
_SHOWN = 3
_NEEDED = (
    "needed is FuseAnyPart's fap.bin (image_proj, image_proj2, unet), a conversion of it, or what its training "
    "program saved (unet, image_proj_model)"
)


@dataclass(frozen=True, eq=False)
class FuseCheckpoint:
    """A checked FuseAnyPart checkpoint.

    `kind`: "A" or "B" (`adapters`). `width`: of the encoder's tokens. `widths`: of the UNet's four levels. `unet`: all
    its weights in diffusers names, input channels latent, masked latent, mask. `adapter`: the complete state dict of a
    `CrossAttentionAdapter` or `ResnetAdapter`. `channels`: block name -> width, for building it. `flat`: every tensor
    of the file by its full name.
    """

    kind: str
    width: int
    widths: tuple[int, ...]
    unet: dict[str, Tensor]
    adapter: dict[str, Tensor]
    flat: dict[str, Tensor]

    @property
    def channels(self) -> dict[str, int]:
        layer = {CROSS_ATTENTION: "image_projector", RESNET: "conv1d"}[self.kind]
        return {b.name: len(self.adapter[f"{layer}.{b.name}.weight"]) for b in BLOCKS}

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the adapter's weights."""
        return next(iter(self.adapter.values())).dtype

    def host_unet(self) -> dict[str, Tensor]:
        """The UNet's weights in LDM names, input channels latent, mask, masked latent, as ComfyUI wants them."""
        return host_unet(self.unet, self.widths)


def read_checkpoint(state: Any, source: str, progress: Callable[[int, int], None] | None = None) -> FuseCheckpoint:
    """Recognise, check and split what `weight_file.read_weights` gave; `source` is its name, for messages.

    Variant A's `image_proj`, a resampler, is checked and then not used: the published inference program computes its
    tokens and throws them away. Variant B's alphas are multiplied into the layers that they scale. `progress` is called
    with tensors done and all. Raises ValueError for another family, a missing, an extra or a misshapen tensor, one that
    is sparse, empty or without values, a type that is no float, and values that are not finite.
    """
    flat = _named(state, source)
    kind = _kind(flat, source)
    _check_plain(flat, source)
    width, widths = _encoder_width(flat, kind), _widths(flat)
    _check_shapes(flat, _expected(kind, width, widths), kind, source)
    _check_values(flat, source, progress)
    unet = {name: flat[f"unet.{name}"] for name in unet_shapes(widths)}
    adapter = dict(_adapter_a(flat) if kind == CROSS_ATTENTION else _adapter_b(flat))
    return FuseCheckpoint(kind, width, widths, unet, adapter, flat)


def _named(state: Any, source: str) -> dict[str, Any]:
    inside = unwrapped(state, _GROUPS)
    flat = flattened(inside, _GROUPS)
    if not flat:
        came = "an empty table" if isinstance(inside, Mapping) else f"a {type(inside).__name__}"
        raise ValueError(f"{source} holds {came} and no named weights; {_NEEDED}")
    return flat


def _kind(flat: Mapping[str, Any], source: str) -> str:
    marks = {CROSS_ATTENTION: ("image_proj2.", ".image_projector."), RESNET: ("image_proj_model.", ".conv1d.")}
    found = [kind for kind, parts in marks.items() if any(part in key for key in flat for part in parts)]
    if not found or not any(key.startswith("unet.") for key in flat):
        named = family(flat) or _unknown(flat)
        more = "; FuseAnyPart's UNet has 9 and adapter weights beside it" if "input channels" in named else ""
        raise ValueError(f"{source} is {named}{more}; {_NEEDED}")
    unet = {key.removeprefix("unet."): value for key, value in flat.items() if key.startswith("unet.")}
    named = unet_family(unet)
    if named and (" SD1.5 UNet in diffusers" not in named or not named.endswith(f" {CHANNELS_IN} input channels")):
        raise ValueError(
            f"the UNet in {source} is {named}; FuseAnyPart's is an SD1.5 UNet in diffusers naming with {CHANNELS_IN} "
            "input channels (4 latent, 4 masked latent, 1 mask)"
        )
    return found[0]


def _unknown(flat: Mapping[str, Any]) -> str:
    tables = [key for key, value in flat.items() if isinstance(value, Mapping)]
    inside = f", with further tables in {_some(tables)}" if tables else ""
    return f"weights of an unknown kind ({len(flat)} tensors, the first is '{next(iter(flat))}'{inside})"


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"


def _expected(kind: str, width: int, widths: tuple[int, ...]) -> Shapes:
    shapes = {f"unet.{name}": shape for name, shape in unet_shapes(widths).items()}
    resampler = _shapes_of(Resampler(width_in=width, width_out=CONTEXT, device="meta"))
    channels = {block: shapes[f"unet.{block.diffusers_resnet}.conv2.bias"] for block in BLOCKS}
    if kind == CROSS_ATTENTION:
        shapes |= {f"image_proj.{name}": shape for name, shape in resampler.items()}
        projection = _shapes_of(FeatureProjection(width, CONTEXT, device="meta"))
        shapes |= {f"image_proj2.{name}": shape for name, shape in projection.items()}
        for block, size in channels.items():
            projector = _projector(block.diffusers_attention)
            shapes |= {f"{projector}.weight": (*size, CONTEXT), f"{projector}.bias": size}
        return shapes
    shapes |= {f"image_proj_model.{name}": shape for name, shape in resampler.items()}
    for block, size in channels.items():
        added = f"unet.{block.diffusers_resnet}"
        shapes |= {f"{added}.alpha": (), f"{added}.conv1d.weight": (*size, width, 1), f"{added}.conv1d.bias": size}
    return shapes


def _shapes_of(module: torch.nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _projector(attention: str) -> str:
    return f"unet.{attention}.transformer_blocks.0.attn2.processor.image_projector"


def _widths(flat: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(_size(flat, f"unet.down_blocks.{i}.resnets.0.conv1.weight", 0, w) for i, w in enumerate(WIDTHS))


def _encoder_width(flat: Mapping[str, Any], kind: str) -> int:
    return _size(flat, "image_proj2.proj.0.weight" if kind == CROSS_ATTENTION else "image_proj_model.proj_in.weight", 1)


def _size(flat: Mapping[str, Any], name: str, dimension: int, missing: int = 1280) -> int:
    """A size of a tensor; where it is missing or has no such dimension the published size, so that the check tells."""
    shape = getattr(flat.get(name), "shape", ())
    return int(shape[dimension]) if len(shape) > dimension else missing


def _check_shapes(flat: Mapping[str, Any], expected: Shapes, kind: str, source: str) -> None:
    missing = [name for name in expected if name not in flat]
    extra = [name for name in flat if name not in expected]
    wrong = [
        f"{name} is {_shape(flat[name])} instead of {shape}"
        for name, shape in expected.items()
        if name in flat and _shape(flat[name]) != str(shape)
    ]
    found = [
        f"{len(names)} {what} ({_some(names)})"
        for what, names in (("missing", missing), ("unknown", extra), ("of the wrong shape", wrong))
        if names
    ]
    if found:
        raise ValueError(
            f"{source} looks like FuseAnyPart variant {kind}, but of its {len(expected)} tensors are "
            f"{'; '.join(found)}. Fetch or convert the file again"
        )


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _check_plain(flat: Mapping[str, Any], source: str) -> None:
    for name, tensor in flat.items():
        if isinstance(tensor, Tensor) and (what := _no_numbers(tensor)):
            raise ValueError(
                f"{name} in {source} {what}; needed are ordinary tensors, so take the file as published, or save it "
                "again with them"
            )


def _no_numbers(tensor: Tensor) -> str:
    """What keeps a tensor's numbers from being read one by one; "" when nothing does."""
    if tensor.is_nested:
        return "holds several tensors in one (nested)"
    if tensor.layout != torch.strided:
        return f"is sparse ({tensor.layout})"
    if tensor.is_meta:
        return "has a shape but no values (it was saved from the meta device)"
    return "" if tensor.numel() else f"is empty (shape {tuple(tensor.shape)})"


def _check_values(flat: Mapping[str, Tensor], source: str, progress: Callable[[int, int], None] | None) -> None:
    for number, (name, tensor) in enumerate(flat.items(), 1):
        if tensor.dtype not in _PRECISIONS:
            raise ValueError(
                f"{name} in {source} is of type {tensor.dtype}; needed is float32, float16 or bfloat16, so take the "
                "file as published and convert that"
            )
        low, high = torch.aminmax(tensor)
        if not (torch.isfinite(low) and torch.isfinite(high)):
            raise ValueError(f"{name} in {source} holds values that are not finite (NaN or infinite); fetch it again")
        if progress is not None:
            progress(number, len(flat))


def _adapter_a(flat: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from ((name, tensor) for name, tensor in flat.items() if name.startswith("image_proj2."))
    for block in BLOCKS:
        for part in ("weight", "bias"):
            yield f"image_projector.{block.name}.{part}", flat[f"{_projector(block.diffusers_attention)}.{part}"]


def _adapter_b(flat: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from ((name, tensor) for name, tensor in flat.items() if name.startswith("image_proj_model."))
    for block in BLOCKS:
        added = f"unet.{block.diffusers_resnet}"
        alpha = flat[f"{added}.alpha"].float()
        for part in ("weight", "bias"):
            tensor = flat[f"{added}.conv1d.{part}"]
            scaled = (alpha * tensor.float()).to(tensor.dtype)
            yield f"conv1d.{block.name}.{part}", scaled[..., 0] if part == "weight" else scaled
