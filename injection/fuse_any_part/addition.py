"""What both variants of FuseAnyPart hand to a host's hooks: plain callables over dicts and tensors.

A model call goes through three wrappers of `Addition`: one around a whole sampling, within which constants are kept;
one around the model, which sees to the five extra input channels; one around the UNet, which works out which row of the
batch takes what. The variants' hooks in the blocks find that in the options that the host hands to them. A fourth,
`guided.around_conditionings`, tells conditioned from not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..sampling.conditionings import chunks_of, guided
from ..unet.blocks import BLOCKS
from .latents import MaskedLatent
from .residuals import WHOLE, Extent, Residuals, Size, check_rows, mask_on

NAME_OF = {block.host: block.name for block in BLOCKS}
ATTENTION_OF = {block.name: f"{block.attention}.transformer_blocks.0.attn2" for block in BLOCKS}

Hook = Callable[..., Any]
Gate = tuple[float, float]


class Kept:
    """Tensors that are the same in every step of one sampling."""

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]

    @property
    def size(self) -> int:
        """Bytes of all tensors that are held."""
        held = [t for value in self._held.values() for t in (value if isinstance(value, tuple) else (value,))]
        return sum(t.numel() * t.element_size() for t in held if isinstance(t, Tensor))

    def __deepcopy__(self, memo: Any) -> Kept:
        return self


@dataclass(frozen=True, eq=False)
class Stage:
    """One call of the UNet.

    `features`, `pictures`: for every row, its place in the constants and its picture. `extents`: for every chunk of
    rows, the window of the latent that it sees. `key`: equal for calls in which all of these are. `left_out`: block
    name -> what stands there for attention that was not computed.
    """

    unet: Any
    kept: Kept
    key: Any
    features: Tensor
    pictures: Tensor
    extents: tuple[Extent, ...]
    left_out: dict[str, Tensor] = field(default_factory=dict)

    def per_chunk(self, make: Callable[[Extent, Tensor], Tensor]) -> Tensor:
        """All rows of what `make` gives for each chunk's extent and pictures."""
        pictures = self.pictures.cpu().chunk(len(self.extents))
        return torch.cat([make(extent, own) for extent, own in zip(self.extents, pictures, strict=True)])


class Addition:
    """What one adapter adds to one model for one set of features; never changed after it is made.

    `adapter`: a module of `injection.fuse_any_part.adapters`. `masked`: the extra input channels. `gate`: the highest
    and lowest sigma at which it acts, None for all. `sigma_of`: timesteps -> sigmas, for callers that do
    not say the sigma.
    """

    def __init__(
        self, adapter: Any, residuals: Residuals, masked: MaskedLatent, gate: Gate | None = None,
        sigma_of: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.adapter, self.residuals = adapter, residuals
        self._masked, self._gate, self._sigma_of = masked.host_order(), gate, sigma_of
        # Keys of this very object in the host's options, so that two additions never meet.
        self.stage_key = f"face_part_fusion_stage_{id(self)}"
        self.kept_key = f"face_part_fusion_kept_{id(self)}"
        self._extents_key = f"face_part_fusion_extents_{id(self)}"

    def __deepcopy__(self, memo: Any) -> Addition:
        # Hosts before 0.14 copy options deeply with every clone of a model.
        return self

    def attention_patches(self) -> Mapping[str, Hook]:
        """Name of the host's patch list -> callable."""
        raise NotImplementedError

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        """Name of a method within the UNet -> what replaces it. `previous`: such a name -> what is there now."""
        raise NotImplementedError

    def around_sampling(self, executor: Any, *arguments: Any, **named: Any) -> Any:
        """OUTER_SAMPLE: keeps constants while one sampling runs, and no longer: its weights may change afterwards."""
        with guided(executor.class_obj, **{self.kept_key: Kept()}):
            return executor(*arguments, **named)

    def around_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Any = None,
        control: Any = None, transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """APPLY_MODEL: sets the extra input channels, whatever the wiring of the conditioning is."""
        options = dict(transformer_options or {})
        patcher = getattr(executor.class_obj, "current_patcher", None)
        if getattr(patcher, "current_hooks", None):
            # Hooks change the model's weights between calls, and what is kept was computed with some of these.
            options.pop(self.kept_key, None)
        kept, chunks = options.get(self.kept_key) or Kept(), len(options.get("cond_or_uncond", (0,)))
        c_concat, options[self._extents_key] = self._channels(x, c_concat, chunks, kept)
        return executor(x, t, c_concat, c_crossattn, control, options, **more)

    def around_unet(
        self, executor: Any, x: Tensor, timesteps: Tensor, context: Any = None, y: Any = None, control: Any = None,
        transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """DIFFUSION_MODEL: tells the hooks in the blocks which row takes what; outside the gate they do nothing."""
        options = dict(transformer_options or {})
        if self._acts(options, timesteps):
            options[self.stage_key] = self._stage(executor.class_obj, x, options)
        return self.call_unet(
            options.get(self.stage_key), lambda: executor(x, timesteps, context, y, control, options, **more)
        )

    def call_unet(self, stage: Stage | None, call: Callable[[], Any]) -> Any:
        """For hooks that the host hands no options to."""
        return call()

    def _acts(self, options: Mapping[str, Any], timesteps: Tensor) -> bool:
        if self._gate is None:
            return True
        sigmas = options.get("sigmas")
        if sigmas is None and self._sigma_of is not None:
            sigmas = self._sigma_of(timesteps)
        return sigmas is None or self._gate[1] <= float(sigmas[0]) <= self._gate[0]

    def _stage(self, unet: Any, x: Tensor, options: Mapping[str, Any]) -> Stage:
        chunks, kept = chunks_of(options), options.get(self.kept_key) or Kept()
        extents = options.get(self._extents_key) or (WHOLE,) * len(chunks)
        key = (chunks, len(x), extents, x.device)
        features, pictures = kept.get(key, lambda: torch.tensor(self.residuals.rows(chunks, len(x)), device=x.device))
        return Stage(unet, kept, key, features, pictures, extents)

    def row_mask(self, stage: Stage, size: Size, like: Tensor) -> Tensor | None:
        """(rows, H*W, 1): the mask on a block of `size` in the type of `like`; None without a mask."""
        mask = self.residuals.mask
        if mask is None:
            return None
        laid = stage.per_chunk(lambda extent, pictures: mask_on(mask, size, extent)[pictures % len(mask)])
        return laid.flatten(1)[..., None].to(like)

    def row_windows(self, stage: Stage, size: Size, like: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, H, h) and (rows, W, w): `Residuals.windows` of every row, in the type of `like`."""
        down = stage.per_chunk(lambda extent, pictures: self.residuals.windows(size, extent)[0][pictures])
        across = stage.per_chunk(lambda extent, pictures: self.residuals.windows(size, extent)[1][pictures])
        return down.to(like), across.to(like)

    def _channels(self, x: Tensor, given: Tensor | None, chunks: int, kept: Kept) -> tuple[Tensor, tuple[Extent, ...]]:
        """The extra channels for `x`, and the window of the latent that each chunk of its rows is."""
        own, count = self._masked, len(x) // chunks
        if x.shape[-2:] == own.shape[-2:]:
            repeats = check_rows(count, len(own))
            made = kept.get(
                ("channels", len(x), chunks, x.device), lambda: own.repeat(repeats * chunks, 1, 1, 1).to(x.device)
            )
            return made, (WHOLE,) * chunks
        (height, width), (h, w) = own.shape[-2:], x.shape[-2:]
        corners = [] if given is None else [_find(own[0, 1:], row[1:]) for row in given[::count].cpu()]
        if given is None or None in corners:
            raise ValueError(
                f"The sampler's latent has {w} x {h} cells; Addition Inject made the model for {width} x {height}. "
                "Give the sampler the latent of Addition Inject, or another of that size; to condition an area, use "
                "the positive and negative of Addition Inject"
            )
        found = [corner for corner in corners if corner is not None]
        return given, tuple((y / height, x0 / width, (y + h) / height, (x0 + w) / width) for y, x0 in found)


def to_out(stage: Stage, name: str) -> Hook:
    """The last layer of the block's cross-attention; a call, so that weights that are cast or patched count."""
    return stage.unet.get_submodule(f"{ATTENTION_OF[name]}.to_out")


def block_size(options: Mapping[str, Any]) -> Size:
    height, width = options["activations_shape"][-2:]
    return int(height), int(width)


def _find(whole: Tensor, piece: Tensor) -> tuple[int, int] | None:
    """Row and column at which `piece` (4, h, w) lies in `whole` (4, H, W); None when it is not from there."""
    h, w = piece.shape[-2:]
    piece = piece.to(whole)
    for y, x in (whole == piece[:, :1, :1]).all(0).nonzero().tolist():
        if torch.equal(whole[:, y : y + h, x : x + w], piece):
            return y, x
    return None
