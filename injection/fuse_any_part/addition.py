"""What both variants of FuseAnyPart put into a host's model: plain callables over dicts and tensors.

A model call goes through three wrappers of `Addition`: one around a whole sampling run, within which constants are
kept; one around the model, which sets the five extra input channels; one around the UNet, which works out which row of
the batch takes what. The variants' hooks in the blocks find that in the options that the host hands to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..sampling.areas import Area
from ..sampling.grid_masks import WHOLE, Size, Window, mask_on_grid, same_shape
from ..sampling.rows import Rows
from ..sampling.run import SamplingPatch, SamplingRun, problems_of, uncompiled
from ..sampling.span import WHOLE_RUN, Span
from ..unet.blocks import BLOCKS
from .latents import CELL, MaskedLatent
from .residuals import Residuals, check_rows

NAME_OF = {block.host: block.name for block in BLOCKS}
ATTENTION_OF = {block.name: f"{block.attention}.transformer_blocks.0.attn2" for block in BLOCKS}

Hook = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class UNetCall:
    """One call of the UNet.

    `features`, `pictures`: (rows,) int64, for every row its index in the constants, and its picture. `windows`: for
    every chunk of rows, the window of the latent that it covers. `key`: equal for calls in which all of these are.
    `left_out`: block name -> what stands there for attention that was not computed.
    """

    unet: Any
    run: SamplingRun
    key: Any
    features: Tensor
    pictures: Tensor
    windows: tuple[Window, ...]
    left_out: dict[str, Tensor] = field(default_factory=dict)

    def keep(self, name: Any, make: Callable[[], Any]) -> Any:
        """What `make` returned when `name` was first asked for in such a call."""
        return self.run.keep_of_rows(self.key, name, make)

    def per_chunk(self, make: Callable[[Window, Tensor], Tensor]) -> Tensor:
        """All rows of what `make` returns for each chunk's window and pictures."""
        pictures = self.pictures.cpu().chunk(len(self.windows))
        return torch.cat([make(window, own) for window, own in zip(self.windows, pictures, strict=True)])


class Addition(SamplingPatch):
    """What one adapter adds to one model for one set of features; never changed after it is made.

    `adapter`: a module of `injection.fuse_any_part.adapters`. `masked`: the extra input channels. `span`: in which part
    of a sampling run the features are added; the channels are always set. `owner`: the node, for messages.
    """

    def __init__(
        self, adapter: Any, residuals: Residuals, masked: MaskedLatent, span: Span = WHOLE_RUN,
        owner: str = "FuseAnyPart",
    ) -> None:  # fmt: skip
        super().__init__(owner, span)
        self.adapter, self.residuals, self._masked = adapter, residuals, masked
        # Keys of this very object in the host's options, so that two additions never meet.
        self.call_key = f"face_part_fusion_call_{id(self)}"
        self._windows_key = f"face_part_fusion_windows_{id(self)}"

    def attention_patches(self) -> Mapping[str, Hook]:
        """Name of the host's patch list -> callable."""
        raise NotImplementedError

    def forwards(self, previous: Callable[[str], Hook]) -> dict[str, Hook]:
        """Name of a method within the UNet -> what replaces it. `previous`: such a name -> what is there now."""
        raise NotImplementedError

    def check_latents(self, noise: Tensor) -> None:
        """Raises ValueError when the latents are not SD1.5's, of another shape, or cannot be shared out to pictures."""
        (height, width), (h, w) = self._masked.size, noise.shape[-2:]
        if noise.ndim != 4 or noise.shape[1] != self._masked.latent.shape[1]:
            raise ValueError(
                f"the sampler's latent has shape {tuple(noise.shape)}, and SD1.5's has {self._masked.latent.shape[1]} "
                "channels; give the sampler the latent of this node, or one that an SD1.5 VAE made"
            )
        if not same_shape((height, width), (int(h), int(w))):
            raise ValueError(
                f"the sampler's latent has {w} x {h} cells ({w * CELL} x {h * CELL} pixels), and the target {width} x "
                f"{height} ({width * CELL} x {height * CELL}), which is another shape; give the sampler the latent of "
                "this node, or one of the same shape in any size"
            )
        check_rows(len(noise), len(self._masked.mask))

    def around_sampling(self, executor: Any, noise: Tensor, *arguments: Any, **named: Any) -> Any:
        """OUTER_SAMPLE: also gives the run's conditionings the masked target in the size that is sampled."""
        with problems_of(self.owner):
            self.check_latents(noise)
        size = (int(noise.shape[-2]), int(noise.shape[-1]))
        if size != self._masked.size:
            channels = self._masked.resized(size).host_order()
            for entries in executor.class_obj.conds.values():
                # Copies, which the host makes for each sampling run.
                for entry in (entry for entry in entries if "noise_concat" in entry):
                    entry["noise_concat"] = channels
        return super().around_sampling(executor, noise, *arguments, **named)

    def around_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Any = None,
        control: Any = None, transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """APPLY_MODEL: sets the extra input channels, whatever the wiring of the conditioning is."""
        options = self.options_of_call(executor.class_obj, x, t, transformer_options or {})
        if getattr(getattr(executor.class_obj, "current_patcher", None), "current_hooks", None):
            # Hooks change the model's weights between calls, and constants were computed with some of these.
            options[self.key] = options[self.key].without_kept()
        with problems_of(self.owner):
            c_concat, options[self._windows_key] = self._channels(x, options)
        with uncompiled():
            return executor(x, t, c_concat, c_crossattn, control, options, **more)

    def around_unet(
        self, executor: Any, x: Tensor, timesteps: Tensor, context: Any = None, y: Any = None, control: Any = None,
        transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """DIFFUSION_MODEL: tells the hooks in the blocks which row takes what; outside the span they do nothing."""
        options = dict(transformer_options or {})
        run = self.run_of(options)
        if run.acts(options):
            options[self.call_key] = self._call(executor.class_obj, x, options, run)
        return self.call_unet(
            options.get(self.call_key), lambda: executor(x, timesteps, context, y, control, options, **more)
        )

    def call_unet(self, call: UNetCall | None, compute: Callable[[], Any]) -> Any:
        """For hooks that the host hands no options to."""
        return compute()

    def _call(self, unet: Any, x: Tensor, options: Mapping[str, Any], run: SamplingRun) -> UNetCall:
        rows = run.rows(options, len(x))
        windows = options.get(self._windows_key) or (WHOLE,) * len(rows.unconditioned)
        key = (rows, windows, x.device)
        features, pictures = run.keep_of_rows(key, "indices", lambda: self._indices(rows, x.device))
        return UNetCall(unet, run, key, features, pictures, windows)

    def _indices(self, rows: Rows, device: torch.device) -> Tensor:
        with problems_of(self.owner):
            return torch.tensor(self.residuals.indices(rows), device=device)

    def row_mask(self, call: UNetCall, size: Size, like: Tensor) -> Tensor | None:
        """(rows, H*W, 1): the mask on a block of `size`, with the dtype and device of `like`; None without a mask."""
        mask = self.residuals.mask
        if mask is None:
            return None
        laid = call.per_chunk(lambda window, pictures: mask_on_grid(mask, size, window)[pictures % len(mask)])
        return laid.flatten(1)[..., None].to(like)

    def row_weights(self, call: UNetCall, size: Size, like: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, H, h) and (rows, W, w): `Residuals.weights` of every row, with the dtype and device of `like`."""
        down = call.per_chunk(lambda window, pictures: self.residuals.weights(size, window)[0][pictures])
        across = call.per_chunk(lambda window, pictures: self.residuals.weights(size, window)[1][pictures])
        return down.to(like), across.to(like)

    def _channels(self, x: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, tuple[Window, ...]]:
        """The extra channels for `x`, and the window of the latent that each chunk of its rows covers."""
        run, size = self.run_of(options), (int(x.shape[-2]), int(x.shape[-1]))
        rows, areas, latent = run.rows(options, len(x)), run.areas(options, size), run.latent or size
        check_rows(rows.latents, len(self._masked.mask))

        def make() -> Tensor:
            whole = run.keep(("masked", latent), lambda: self._masked.resized(latent).host_order())
            pictures = torch.tensor(rows.pictures(len(whole))).chunk(len(areas))
            return torch.cat([_cut(whole[own], area) for own, area in zip(pictures, areas, strict=True)]).to(x.device)

        channels = run.keep_of_rows((rows, areas, x.device), "channels", make)
        return channels, tuple(area.window(latent) for area in areas)


def to_out(call: UNetCall, name: str) -> Hook:
    """The last layer of the block's cross-attention; a call, so that weights that are cast or patched count."""
    return call.unet.get_submodule(f"{ATTENTION_OF[name]}.to_out")


def _cut(latents: Tensor, area: Area) -> Tensor:
    return latents[:, :, area.y : area.y + area.height, area.x : area.x + area.width]
