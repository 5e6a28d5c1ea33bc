"""The references' keys and values during one sampling run: how they are computed, and when they are computed anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..sampling.grid_masks import Size, mask_on_grid
from .layers import Layer
from .people import Reference

NOISED, CLEAN = NOISES = ("as the step", "clean")
# Of the noise that all references share in all steps.
_SEED = 0
# Width of the pooled text that SDXL reads.
_POOLED = 1280
# Tokens of the empty prompt.
_TOKENS = 77


class KeysValues(NamedTuple):
    """Of one reference at one layer: (1, tokens, C) each."""

    keys: Tensor
    values: Tensor


# (layer, which of the call's references a row is, keys and values (rows, tokens, C), the layer's grid)
Capture = Callable[[Layer, Tensor, Tensor, Size], None]
# Where to put keys and values -> host options with hooks that put them there.
Hooks = Callable[[Capture], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Encoding:
    """How the references pass the UNet.

    `references`: all of them.
    `hooks`: what the UNet gets so that keys and values come out.
    `noise`: of NOISES.
    `every`: in every so many evaluations of the model they are computed anew, at least 1.
    `prompt`: text (1, n, width) and what else its conditioning holds, None for no text.

    Raises ValueError for another noise and a number below 1.
    """

    references: tuple[Reference, ...]
    hooks: Hooks
    noise: str = NOISED
    every: int = 1
    prompt: tuple[Tensor, Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.noise not in NOISES:
            raise ValueError(f"noise is '{self.noise}'; choose one of {', '.join(NOISES)}")
        if self.every < 1:
            raise ValueError(f"refresh is {self.every}; it is a number of steps, at least 1")


class ReferenceStore:
    """Keys and values of all references at all layers, as of the evaluation in which they were computed last."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._evaluation = -1
        self._sigma: float | None = None
        self._kept: dict[Layer, list[KeysValues]] = {}
        self._chosen: dict[tuple[int, Size, torch.device], Tensor | None] = {}

    def of_layer(self, layer: Layer) -> list[KeysValues]:
        """For each reference. Raises ValueError before the first evaluation."""
        if layer not in self._kept:
            raise ValueError("the UNet was called by itself, without the references; call the model's apply_model")
        return self._kept[layer]

    @property
    def bytes(self) -> int:
        tensors = [tensor for layer in self._kept.values() for pair in layer for tensor in pair]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def begin_evaluation(
        self, model: Any, x: Tensor, sigmas: Tensor, context: Tensor, options: Mapping[str, Any]
    ) -> None:
        """Before a call of the host's `model`: computes keys and values anew where they are due.

        `x`: (rows, C, h, w), the call's latents, which say how many references pass at once. `sigmas`: (n,) noise
        levels of the call. `context`: (rows, n, width), its text. `options`: the host's, of the call.
        """
        sigma = float(sigmas.max())
        if sigma == self._sigma:
            return
        self._sigma, self._evaluation = sigma, self._evaluation + 1
        due = not self._kept or (self._encoding.noise == NOISED and self._evaluation % self._encoding.every == 0)
        if due:
            # First, so that both do not take up memory at once.
            self._kept = {}
            self._kept = self._encoded(model, x, sigma, context, options)

    def _encoded(
        self, model: Any, x: Tensor, sigma: float, context: Tensor, options: Mapping[str, Any]
    ) -> dict[Layer, list[KeysValues]]:
        results: dict[Layer, dict[int, KeysValues]] = {}
        for numbers in self._batches(x):

            def capture(
                layer: Layer, keys: Tensor, values: Tensor, grid: Size, numbers: Sequence[int] = numbers
            ) -> None:
                for row, number in enumerate(numbers):
                    chosen = self._tokens(number, grid, keys.device)
                    own = (t[row : row + 1] if chosen is None else t[row : row + 1, chosen] for t in (keys, values))
                    results.setdefault(layer, {})[number] = KeysValues(*own)

            self._call(model, x, sigma, context, options, numbers, capture)
        return {layer: [own[number] for number in sorted(own)] for layer, own in results.items()}

    def _batches(self, x: Tensor) -> list[list[int]]:
        """Numbers of references of one size, no more at once than the call itself has cells."""
        by_size: dict[Size, list[int]] = {}
        for number, reference in enumerate(self._encoding.references):
            by_size.setdefault((reference.latent.shape[-2], reference.latent.shape[-1]), []).append(number)
        cells = x.shape[0] * x.shape[-2] * x.shape[-1]
        batches = []
        for (height, width), numbers in by_size.items():
            count = max(1, cells // (height * width))
            batches += [numbers[i : i + count] for i in range(0, len(numbers), count)]
        return batches

    def _tokens(self, number: int, grid: Size, device: torch.device) -> Tensor | None:
        """Which tokens of a layer's `grid` may be looked at, None for all."""
        key = (number, grid, device)
        if key not in self._chosen:
            view = self._encoding.references[number].view
            share = None if view is None else mask_on_grid(view, grid).flatten()
            self._chosen[key] = None if share is None else torch.nonzero(share > 0).flatten().to(device)
        return self._chosen[key]

    def _call(
        self, model: Any, x: Tensor, sigma: float, context: Tensor, options: Mapping[str, Any], numbers: Sequence[int],
        capture: Capture,
    ) -> None:  # fmt: skip
        sampling, count = model.model_sampling, len(numbers)
        clean = torch.cat([self._encoding.references[number].latent for number in numbers]).to(x)
        latents = model.process_latent_in(clean)
        level = torch.full((count,), sigma, device=x.device, dtype=x.dtype)
        if self._encoding.noise == CLEAN:
            level = level * 0 + float(sampling.sigma_min)
        else:
            # One noise for all, so that neither their order nor their number counts.
            draw = torch.randn(latents.shape[1:], generator=torch.Generator().manual_seed(_SEED)).to(x)
            latents = sampling.noise_scaling(level.reshape(-1, 1, 1, 1), draw.expand_as(latents).clone(), latents)
        inner = {"sigmas": level, "cond_or_uncond": [0], **self._encoding.hooks(capture)}
        # The attention that another node chose is the references' too; other patches are the picture's alone.
        inner |= {key: options[key] for key in ("optimized_attention_override", "sample_sigmas") if key in options}
        conditions = self._conditions(model, latents, clean, context)
        model.apply_model(latents, level, **conditions, transformer_options=inner)

    def _conditions(self, model: Any, latents: Tensor, clean: Tensor, context: Tensor) -> dict[str, Any]:
        """What the model takes beside the latents, by the host's own rules for each family."""
        height, width = latents.shape[-2:]
        text, more = self._encoding.prompt or (context.new_zeros(1, _TOKENS, context.shape[-1]), {})
        if text.shape[-1] != context.shape[-1]:
            raise ValueError(
                f"prompt holds text {text.shape[-1]} wide and the model reads text {context.shape[-1]} wide; encode it "
                "with the checkpoint's own CLIP"
            )
        words = {
            # An inpainting model is shown all of the photograph as known.
            "concat_latent_image": clean, "concat_mask": clean.new_zeros(len(clean), 1, height, width),
            "pooled_output": torch.zeros(1, _POOLED), "width": 8 * width, "height": 8 * height, **more,
            "cross_attn": text.to(latents), "noise": latents, "device": latents.device, "prompt_type": "positive",
        }  # fmt: skip
        values = model.extra_conds(**words)
        return {name: each.process_cond(batch_size=len(latents), area=None).cond for name, each in values.items()}
