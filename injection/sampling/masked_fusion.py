"""Masked fusion: in every sampling step the region outside a mask is the target, noised to that step's level.

Before the model is called, x <- m x + (1 - m) q(x_t | target); after it, estimate <- m estimate + (1 - m) target.
Source: FaceX, arXiv 2401.00551, section 4.1; the known-region blending of FuseAnyPart, with the clean target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Attach = Callable[[Any, Callable[..., Tensor]], None]

# An attribute of a sampler whose result counts as clean although its last sigma is above 0: up to which sigma it does.
CLEAN_SIGMA = "face_part_fusion_clean_sigma"


@dataclass(frozen=True, eq=False)
class FusionLayer:
    """What one node asks for.

    `target`: clean latent as the VAE gives it, (B or 1, C, h, w) or (B or 1, C, T, h, w). `mask`: (N, H, W) in 0..1 of
    any size, 1 = is made anew; N is 1, or B, or for several frames any count over time. `start`, `end`: the part of
    the sampling in which the region is held, 0..1. `keep_target`: whether the clean target is set at the end.
    """

    target: Tensor
    mask: Tensor
    start: float
    end: float
    keep_target: bool


def make_layer(target: Any, mask: Tensor, start: float, end: float, keep_target: bool) -> FusionLayer:
    """A checked layer. Raises ValueError for a target that is no encoded picture, a mask without white, no window."""
    if getattr(target, "is_nested", False) or target.ndim not in (4, 5):
        shape = "several latents in one" if getattr(target, "is_nested", False) else f"of shape {tuple(target.shape)}"
        raise ValueError(f"target is {shape}; needed is the latent of pictures or of a video, from VAE Encode")
    if not target.any():
        raise ValueError("target is empty: all its values are 0; wire in VAE Encode of the picture to keep")
    if not (mask > 0).any():
        raise ValueError("mask has no white, so nothing would be made anew; paint white what the model shall change")
    if not start < end:
        raise ValueError(f"start_percent is {start} and end_percent {end}; start_percent must be the smaller one")
    return FusionLayer(target.float(), mask.float().clamp(0, 1), start, end, keep_target)


def fit_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Mask (N, H, W) -> (N, 1, h, w), or (N or 1, 1, T, h, w), for a latent of this `shape`.

    Resized as the host resizes noise masks: bilinear; over several frames trilinear, with the N masks spread over
    them. Raises ValueError when N is neither 1 nor the latent's batch, and when no white is left.
    """
    frames = shape[2] if len(shape) == 5 else 1
    if frames > 1:
        fitted = functional.interpolate(mask[None, None], tuple(shape[2:]), mode="trilinear")
    else:
        _check_count("mask has", "masks", len(mask), shape[0])
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
    _check_count("target has", "latents", len(target), shape[0])
    return target


_SAME_VAE = "encode a picture of the size that is sampled, or give the sampler this latent"


def _cells(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape[:1:-1])


def _check_count(has: str, what: str, count: int, batch: int) -> None:
    if count not in (1, batch):
        raise ValueError(f"{has} {count} {what} but {batch} latents are sampled; give 1 or {batch}")


def seeded_noise(like: Tensor, seed: int | None) -> Tensor:
    """The noise that the host makes of a seed, for a sampling that is told to add none (a second stage)."""
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed or 0))
    return drawn.to(like)


@dataclass(eq=False)
class _Held:
    """One layer during one sampling. `weight`: 1 = held at the target in each step; `final`: the same at the end."""

    layer: FusionLayer
    target: Tensor
    weight: Tensor
    final: Tensor
    sigmas: tuple[float, float]
    clean: Tensor | None = None
    blended: bool = False

    def holds(self, sigma: float) -> bool:
        return self.sigmas[1] <= sigma <= self.sigmas[0]


@dataclass(eq=False)
class _Sampling:
    """One sampling: its noise and its layers. Lives as long as the sampling does."""

    noise: Tensor
    held: list[_Held]

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: int | None = None
    ) -> Tensor:
        """Wrapper around one call of the model: x and the result are (B, C, ...), `timestep` (B,) is sigma."""
        model, sigma = executor.class_obj.inner_model, timestep.reshape([-1] + [1] * (x.ndim - 1))
        self.noise = self.noise.to(x)
        for held in self.held:
            held.blended = held.holds(float(timestep.max()))
            if held.blended:
                if held.clean is None:
                    held.clean, held.weight = model.process_latent_in(held.target).to(x), held.weight.to(x)
                noised = model.model_sampling.noise_scaling(sigma, self.noise, held.clean)
                x = _blend(x, noised, held.weight)
        estimate = executor(x, timestep, model_options, seed)
        for held in self.held:
            if held.blended and held.clean is not None:
                estimate = _blend(estimate, held.clean, held.weight)
        return estimate

    def finish(self, result: Tensor) -> Tensor:
        """The sampled latent with the clean target where it is to be kept, bit for bit where the mask is black."""
        for held in self.held:
            if held.layer.keep_target:
                target, weight = held.target.to(result), held.final.to(result)
                # The last step has blended already where it held the region; twice would thin out a soft edge.
                result = result if held.blended else _blend(result, target, weight)
                result = torch.where(weight == 1, target, result)
        return result


def _blend(x: Tensor, kept: Tensor, weight: Tensor) -> Tensor:
    return x * (1 - weight) + kept * weight


class HeldRegions:
    """The wrapper around a whole sampling. `layers`: a later one lies over an earlier one.

    `attach(guider, wrapper)` puts a wrapper around the model calls of this one sampling. The object keeps no state, so
    that models and samplers may share it.
    """

    def __init__(self, layers: tuple[FusionLayer, ...], attach: Attach) -> None:
        self.layers, self.attach = layers, attach

    def __call__(
        self, executor: Any, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor,
        denoise_mask: Tensor | None = None, callback: Any = None, disable_pbar: bool = False, seed: int | None = None,
        **more: Any,
    ) -> Tensor:  # fmt: skip
        """Raises ValueError when a target or a mask does not fit the sampled latent."""
        guider, shapes = executor.class_obj, more.get("latent_shapes")
        if (shapes is not None and len(shapes) > 1) or latent_image.ndim not in (4, 5):
            raise ValueError(
                "this model samples something other than one picture or video (several latents at once, or sound); "
                "Masked Fusion cannot hold a region of it, so take the node out"
            )
        # Asked before the sampling, because some samplers (uni_pc) overwrite the last of their sigmas.
        ends_clean = float(sigmas[-1]) <= getattr(sampler, CLEAN_SIGMA, 0.0)
        fixed = noise if noise.any() else seeded_noise(noise, seed)
        model_sampling = guider.model_patcher.get_model_object("model_sampling")
        running = _Sampling(fixed, [_hold(la, latent_image, denoise_mask, model_sampling) for la in self.layers])
        self.attach(guider, running.predict_noise)
        result = executor(noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed, **more)
        return running.finish(result) if ends_clean else result


def _hold(layer: FusionLayer, latent: Tensor, denoise_mask: Tensor | None, model_sampling: Any) -> _Held:
    target, outside = fit_target(layer.target, latent.shape), 1 - fit_mask(layer.mask, latent.shape)
    weight = final = outside.to(latent.device)
    if denoise_mask is not None:
        # What the host's own noise mask keeps is the host's; only what it frees can be held at the target.
        freed = denoise_mask.to(latent.device)
        weight, final = weight * (freed > 0), final * freed
    start = math.inf if layer.start <= 0 else float(model_sampling.percent_to_sigma(layer.start))
    return _Held(layer, target, weight, final, (start, float(model_sampling.percent_to_sigma(layer.end))))
