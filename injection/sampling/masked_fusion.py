"""Masked fusion: in every sampling step the region outside a mask is the target, noised to that step's level.

Before the model is called, x <- m x + (1 - m) q(x_t | target); after it, estimate <- m estimate + (1 - m) target.
Source: FaceX, arXiv 2401.00551, section 4.1; the known-region blending of FuseAnyPart, with the clean target.

A mix of several sources (HS-Diffusion, arXiv 2212.06458) is one layer for each of them, mixed together: before the
model is called, x <- sum of m_i q(x_t | source_i) + (1 - sum of m_i) x, and once more with clean sources at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .rows import check_count
from .run import SamplingRun, problems_of
from .span import Span

Attach = Callable[[Any, Callable[..., Tensor]], None]

# Attribute of a sampler: up to this sigma its result counts as clean, although its last sigma is above 0.
CLEAN_SIGMA = "face_part_fusion_clean_sigma"
# Order of a mix: before every step, as HS-Diffusion and the mask branch of CompVis' DDIM; or after every step, as
# Blended Latent Diffusion, which is before every step but the first.
ORDERS = ("mix first", "after the step")
_SAME_VAE = "encode a picture of the size that is sampled, or give the sampler this latent"


@dataclass(frozen=True, eq=False)
class Mix:
    """What the layers of one mix share. `order`: of ORDERS."""

    order: str


@dataclass(frozen=True, eq=False)
class FusionLayer:
    """One target and the mask outside of which it is kept.

    `target`: clean latent as the VAE gives it, (B or 1, C, h, w) or (B or 1, C, T, h, w). `mask`: (N, H, W) in 0..1 of
    any size, 1 = is made anew; N is 1, or B, or for several frames any count over time. `span`: the part of the
    sampling run in which the region is held. `keep_target`: whether the clean target is set at the end. `owner`: the
    node that made the layer, for messages. `mix`: the mix that the layer is a source of, None where it is held alone.
    """

    target: Tensor
    mask: Tensor
    span: Span
    keep_target: bool
    owner: str
    mix: Mix | None = None


def make_layer(
    target: Any, mask: Tensor, start: float, end: float, keep_target: bool, owner: str = "masked fusion"
) -> FusionLayer:
    """A checked layer; `start` and `end` are 0..1 of the sampling run.

    Raises ValueError for a target that is not an encoded picture, a mask without white, and an end that does not come
    after the start.
    """
    if getattr(target, "is_nested", False) or target.ndim not in (4, 5):
        shape = "several latents in one" if getattr(target, "is_nested", False) else f"of shape {tuple(target.shape)}"
        raise ValueError(f"target is {shape}; needed is the latent of pictures or of a video, from VAE Encode")
    if not target.any():
        raise ValueError("target is empty: all its values are 0; wire in VAE Encode of the picture to keep")
    if not (mask > 0).any():
        raise ValueError("mask has no white, so nothing would be made anew; paint white what the model shall change")
    span = Span(start, end, ("start_percent", "end_percent"))
    return FusionLayer(target.float(), mask.float().clamp(0, 1), span, keep_target, owner)


def make_mix(
    sources: Sequence[tuple[Any, Tensor]], order: str, start: float, end: float, keep: bool,
    owner: str = "semantic mix",
) -> tuple[FusionLayer, ...]:  # fmt: skip
    """The layers of one mix.

    `sources`: clean latents as the VAE gives them, and for each where it stays, (N, H, W) in 0..1; an earlier one lies
    over a later one where they overlap. `start`, `end`: 0..1 of the sampling run. `keep`: whether the clean sources are
    set at the end.

    Raises ValueError as `make_layer` does, for another order, and for masks of which nothing is left to make anew.
    """
    if order not in ORDERS:
        raise ValueError(f"order is '{order}'; choose one of {', '.join(ORDERS)}")
    mix, layers, free = Mix(order), [], torch.ones(1, 1, 1)
    for target, mask in sources:
        own = torch.minimum(mask.float().clamp(0, 1), free)
        free = free - own
        layers.append(replace(make_layer(target, 1 - own, start, end, keep, owner), mix=mix))
    if not bool((free > 0).any()):
        raise ValueError(
            "the masks together cover the whole picture, so nothing would be made anew; leave a transition black in "
            "both"
        )
    return tuple(layers)


def fit_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Mask (N, H, W) -> (N, 1, h, w), or (N or 1, 1, T, h, w), for a latent of this `shape`.

    Resized as the host resizes noise masks: bilinear; over several frames trilinear, with the N masks spread over
    them. Raises ValueError when N is neither 1 nor the latent's batch, and when no white is left.
    """
    frames = shape[2] if len(shape) == 5 else 1
    if frames > 1:
        fitted = functional.interpolate(mask[None, None], tuple(shape[2:]), mode="trilinear")
    else:
        check_count(f"mask has {len(mask)} masks", len(mask), shape[0])
        fitted = functional.interpolate(mask[:, None], tuple(shape[-2:]), mode="bilinear")
        fitted = fitted[:, :, None] if len(shape) == 5 else fitted
    if not (fitted > 0).any():
        raise ValueError(
            f"the white of mask is lost at the latent's size, {shape[-1]} x {shape[-2]} cells; grow the mask"
        )
    return fitted


def fit_target(target: Tensor, shape: Sequence[int]) -> Tensor:
    """The target as (B or 1, ...) of this latent `shape`. Raises ValueError when sizes, channels or counts differ."""
    if target.ndim == 4 and len(shape) == 5:
        target = target.unsqueeze(2)
    if target.ndim != len(shape):
        raise ValueError(f"target has shape {tuple(target.shape)} but the sampled latent {tuple(shape)}; {_SAME_VAE}")
    if target.shape[1] != shape[1]:
        raise ValueError(
            f"target has {target.shape[1]} channels but the model samples {shape[1]}; encode it with the model's VAE"
        )
    if target.shape[2:] != tuple(shape[2:]):
        raise ValueError(
            f"target is {_cells(target.shape)} latent cells but the sampled latent is {_cells(shape)}; {_SAME_VAE}"
        )
    check_count(f"target has {len(target)} latents", len(target), shape[0])
    return target


def _cells(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape[:1:-1])


def seeded_noise(like: Tensor, seed: int | None) -> Tensor:
    """The noise that the host makes of a seed, for a sampling run that adds none of its own (a second stage)."""
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed or 0))
    return noise.to(like)


@dataclass(eq=False)
class _FittedLayer:
    """One layer during one sampling run.

    `target`: of the latent's shape. `weight`: the share of the target in each step, 1 = held at it. `final`: the same
    at the end. `run`: in which steps it acts, and what is kept for them. `blended`: whether it acted in the last step.
    `begun`: whether a step of its span has been made.
    """

    layer: FusionLayer
    target: Tensor
    weight: Tensor
    final: Tensor
    run: SamplingRun
    blended: bool = False
    begun: bool = False

    @property
    def mix(self) -> Mix | None:
        return self.layer.mix

    def act(self, timestep: Tensor) -> bool:
        """Whether the layer acts in the step at the noise levels (rows,)."""
        acts = self.run.acts_at(timestep)
        self.blended = acts and (self.begun or self.mix is None or self.mix.order == ORDERS[0])
        self.begun = self.begun or acts
        return self.blended

    def clean(self, model: Any, like: Tensor) -> tuple[Tensor, Tensor]:
        """The target in the model's own scale and its weight, on the device and in the dtype of `like`."""
        return self.run.keep("clean", lambda: (model.process_latent_in(self.target).to(like), self.weight.to(like)))


@dataclass(eq=False)
class _Fusion:
    """One sampling run: its noise and its layers."""

    noise: Tensor
    layers: list[_FittedLayer]

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: int | None = None
    ) -> Tensor:
        """PREDICT_NOISE: x and the result are (B, C, ...), `timestep` (B,) is sigma."""
        model, sigma = executor.class_obj.inner_model, timestep.reshape([-1] + [1] * (x.ndim - 1))
        self.noise = self.noise.to(x)
        for mix, layers in self.groups():
            parts = []
            for layer in layers:
                if layer.act(timestep):
                    clean, weight = layer.clean(model, x)
                    parts.append((model.model_sampling.noise_scaling(sigma, self.noise, clean), weight))
            if parts and mix is not None:
                # In place: the sampler's step starts from the mixed latent, where a mask is soft too.
                x.copy_(_blend(x, parts))
            elif parts:
                x = _blend(x, parts)
        estimate = executor(x, timestep, model_options, seed)
        for layer in self.layers:
            if layer.blended and layer.mix is None:
                estimate = _blend(estimate, [layer.clean(model, x)])
        return estimate

    def groups(self) -> list[tuple[Mix | None, list[_FittedLayer]]]:
        """The layers, bottom to top, those of one mix together."""
        groups: list[tuple[Mix | None, list[_FittedLayer]]] = []
        for layer in self.layers:
            if layer.mix is not None and groups and groups[-1][0] is layer.mix:
                groups[-1][1].append(layer)
            else:
                groups.append((layer.mix, [layer]))
        return groups

    def finish(self, result: Tensor) -> Tensor:
        """The sampled latent with the clean targets where they are kept, bit for bit where nothing is made anew."""
        for mix, layers in self.groups():
            parts = [(layer.target.to(result), layer.final.to(result)) for layer in layers if layer.layer.keep_target]
            # The last step has blended already where it held the region; twice would thin out a soft edge.
            if parts and (mix is not None or not layers[0].blended):
                result = _blend(result, parts)
            for target, weight in parts:
                result = torch.where(weight == 1, target, result)
        return result


def _blend(x: Tensor, parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """`x` and the targets, each with its weight; the weights are 1 in sum at most."""
    mixed, left = torch.zeros_like(x), torch.ones((), dtype=x.dtype, device=x.device)
    for target, weight in parts:
        mixed, left = mixed + target * weight, left - weight
    return x * left + mixed


class HeldRegions:
    """The wrapper around a whole sampling run. `layers`: a later one lies over an earlier one.

    `attach(guider, wrapper)` puts a wrapper around the model calls of this one run. The object keeps no state, so that
    models and samplers may share it.
    """

    def __init__(self, layers: tuple[FusionLayer, ...], attach: Attach) -> None:
        self.layers, self.attach = layers, attach

    def __call__(
        self, executor: Any, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor,
        denoise_mask: Tensor | None = None, callback: Any = None, disable_pbar: bool = False, seed: int | None = None,
        **more: Any,
    ) -> Tensor:  # fmt: skip
        """OUTER_SAMPLE. Raises ValueError when a target or a mask does not fit the sampled latent."""
        guider, shapes = executor.class_obj, more.get("latent_shapes")
        if (shapes is not None and len(shapes) > 1) or latent_image.ndim not in (4, 5):
            raise ValueError(
                f"{self.layers[-1].owner}: this model samples something other than one picture or video (several "
                "latents at once, or sound), and no region of that can be held; take the node out"
            )
        # Read before the sampling run, because some samplers (uni_pc) overwrite the last of their sigmas.
        ends_clean = float(sigmas[-1]) <= getattr(sampler, CLEAN_SIGMA, 0.0)
        fixed = noise if noise.any() else seeded_noise(noise, seed)
        model_sampling = guider.model_patcher.get_model_object("model_sampling")
        # Under Differential Diffusion that mask says when a cell is freed, and by the last step all may be.
        freed = None if "denoise_mask_function" in guider.model_options else denoise_mask
        fusion = _Fusion(fixed, [_fit(layer, latent_image, freed, model_sampling) for layer in self.layers])
        self.attach(guider, fusion.predict_noise)
        result = executor(noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed, **more)
        return fusion.finish(result) if ends_clean else result


def _fit(layer: FusionLayer, latent: Tensor, denoise_mask: Tensor | None, model_sampling: Any) -> _FittedLayer:
    with problems_of(layer.owner):
        target, outside = fit_target(layer.target, latent.shape), 1 - fit_mask(layer.mask, latent.shape)
    weight = final = outside.to(latent.device)
    if denoise_mask is not None:
        # What the host's own noise mask keeps is the host's; only what it frees can be held at the target.
        freed = denoise_mask.to(latent.device)
        weight, final = weight * (freed > 0), final * freed
    return _FittedLayer(layer, target, weight, final, SamplingRun(layer.span.levels(model_sampling.percent_to_sigma)))
