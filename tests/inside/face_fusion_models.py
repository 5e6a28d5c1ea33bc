"""Small UNets of a real host, people with random latents, and the equations of face fusion written out.

For scripts beside this file, after `host.start()`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import comfy.sample
import torch
from face_part_fusion.injection.face_fusion.layers import LAYERS, Layer, chosen_layers, transformers
from face_part_fusion.injection.face_fusion.patch import Settings
from face_part_fusion.injection.face_fusion.people import FacePerson
from face_part_fusion.injection.sampling.span import Span
from face_part_fusion.nodes.host.face_fusion import refer
from small_unets import random_words
from torch import Tensor
from torch.nn import functional

HEIGHT, WIDTH, STEPS = 16, 8, 2
EVERYWHERE = torch.ones(1, 1, 1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def half(left: bool, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """A mask in pixels, white in one half of the picture."""
    mask = torch.zeros(1, 8 * height, 8 * width)
    mask[:, :, : 4 * width] = 1
    return mask if left else 1 - mask


class People:
    """People with random latents of 8 x 8 cells. `regions`: for each; `photographs`: how many each has."""

    def __init__(
        self, regions: Sequence[Tensor] = (EVERYWHERE,), photographs: Sequence[int] = (1,), strength: float = 1.0,
        views: Sequence[Tensor | None] = (None,), seed: int = 20,
    ) -> None:  # fmt: skip
        self.latents = [[draw(1, 4, 8, 8, seed=seed + 10 * p + i) for i in range(n)] for p, n in enumerate(photographs)]
        picture = torch.zeros(1, 64, 64, 3)
        self.people = [
            FacePerson(f"person {p}", (picture,) * n, tuple(views) * n, strength, region)
            for p, (region, n) in enumerate(zip(regions, photographs, strict=True))
        ]


def referring(
    model: Any, people: People, *, layers: str = "all", unconditioned: bool = False, start: float = 0.0,
    end: float = 1.0, **more: Any,
) -> Any:  # fmt: skip
    settings = Settings(
        chosen_layers(model.get_model_object("diffusion_model"), layers), unconditioned, Span(start, end), "a test"
    )
    return refer(model, people.people, people.latents, settings, **more)


def sample(
    model: Any, family: str, count: int = 1, *, steps: int = STEPS, size: tuple[int, int] = (HEIGHT, WIDTH),
    cfg: float = 3.0, words: Any = None, sampler: str = "euler", callback: Any = None,
) -> Tensor:  # fmt: skip
    latent, noise = torch.zeros(count, 4, *size), draw(count, 4, *size, seed=9)
    words = words or [random_words(family, seed) for seed in (11, 12)]
    return comfy.sample.sample(
        model, noise, steps, cfg, sampler, "normal", *words, latent, seed=1, disable_pbar=True, callback=callback
    )


def gap(a: Tensor, b: Tensor) -> float:
    """The largest difference, in standard deviations of `b`."""
    return float((a - b).abs().max() / b.std())


class Plain:
    """Face fusion written out in each transformer block of a model, in the place of the block's own forward.

    The references pass the UNet before each call of the model. `weight(person, query's y and x in 0..1)` is what M is
    the logarithm of. `projections`: layer name -> (W_k, W_v), None for the training-free mechanism.
    """

    def __init__(
        self, model: Any, people: People, weight: Any = lambda p, y, x: 1.0, *, layers: str = "all",
        projections: Any = None, balance: bool = True, unconditioned: bool = False, noised: bool = True,
        prompt: Any = None, conditioned: Sequence[int] = (0,),
    ) -> None:  # fmt: skip
        self.conditioned = conditioned
        self.base, self.weight, self.projections = model.model, weight, projections
        self.sides, self.unconditioned, self.noised, self.prompt = LAYERS[layers], unconditioned, noised, prompt
        self.references = [
            (p, latent, 1 / len(own) if balance else 1.0) for p, own in enumerate(people.latents) for latent in own
        ]
        self.blocks = dict(transformers(self.base.diffusion_model))
        self.hidden: dict[tuple[Layer, int], Tensor] = {}
        self.recording: int | None = None

    def __enter__(self) -> Plain:
        for layer, block in self.blocks.items():
            block.forward = self.forward(layer, block)
        self.apply, self.base.apply_model = self.base.apply_model, self.apply_model
        return self

    def __exit__(self, *_: Any) -> None:
        for block in self.blocks.values():
            del block.forward
        del self.base.apply_model

    def apply_model(self, x: Tensor, t: Tensor, **more: Any) -> Tensor:
        sampling, sigma = self.base.model_sampling, float(t.max())
        noise = torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(0))
        for number, (_, latent, _) in enumerate(self.references):
            self.recording = number
            clean = latent * self.base.latent_format.scale_factor
            level = torch.tensor([sigma if self.noised else float(sampling.sigma_min)])
            z = clean + (sigma * noise if self.noised else 0)
            words = {} if more.get("y") is None else {"y": self.sizes_of_picture()}
            text = torch.zeros(1, 77, more["c_crossattn"].shape[-1]) if self.prompt is None else self.prompt[0][0]
            self.base.diffusion_model(
                z / (level**2 + 1).sqrt(), sampling.timestep(level).float(), context=text, transformer_options={},
                **words,
            )  # fmt: skip
        self.recording = None
        return self.apply(x, t, **more)

    def sizes_of_picture(self) -> Tensor:
        pooled = torch.zeros(1, 1280) if self.prompt is None else self.prompt[0][1]["pooled_output"]
        numbers = [self.base.embedder(torch.Tensor([n])) for n in (64, 64, 0, 0, 64, 64)]
        return torch.cat([pooled, torch.cat(numbers).flatten()[None]], 1)

    def forward(self, layer: Layer, block: Any) -> Any:
        def forward(x: Tensor, context: Tensor, transformer_options: dict[str, Any]) -> Tensor:
            n = block.norm1(x)
            if self.recording is not None:
                self.hidden[layer, self.recording] = n
            self_first = self.recording is None and self.projections is None and layer.side in self.sides
            x = x + (self.joined(layer, block.attn1, n, n, transformer_options) if self_first else block.attn1(n))
            n = block.norm2(x)
            cross = self.recording is None and self.projections is not None and layer.side in self.sides
            x = x + (
                self.joined(layer, block.attn2, n, context, transformer_options) if cross
                else block.attn2(n, context=context)
            )  # fmt: skip
            return x + block.ff(block.norm3(x))

        return forward

    def joined(self, layer: Layer, attention: Any, n: Tensor, context: Tensor, options: dict[str, Any]) -> Tensor:
        chunks, (h, w) = options["cond_or_uncond"], options["activations_shape"][-2:]
        each, heads, rows = len(n) // len(chunks), attention.heads, []
        for row in range(len(n)):
            q, k, v = attention.to_q(n[row]), attention.to_k(context[row]), attention.to_v(context[row])
            mask = torch.zeros(len(q), len(k))
            if self.unconditioned or chunks[row // each] in self.conditioned:
                for number, (person, _, share) in enumerate(self.references):
                    hidden = self.hidden[layer, number][0]
                    if self.projections is None:
                        new_k, new_v = attention.to_k(hidden), attention.to_v(hidden)
                    else:
                        new_k, new_v = (hidden @ weight.T for weight in self.projections[layer.name])
                    weights = torch.tensor(
                        [self.weight(person, (y + 0.5) / h, (x + 0.5) / w) for y in range(h) for x in range(w)]
                    )
                    column = (weights * share).log()[:, None].expand(-1, len(new_k))
                    k, v, mask = torch.cat([k, new_k]), torch.cat([v, new_v]), torch.cat([mask, column], 1)
            rows.append(self.attend(q, k, v, mask, heads))
        return attention.to_out(torch.stack(rows))

    @staticmethod
    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, heads: int) -> Tensor:
        width, out = q.shape[-1] // heads, []
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            scores = q[:, part] @ k[:, part].T / math.sqrt(width) + mask
            out.append(functional.softmax(scores, -1) @ v[:, part])
        return torch.cat(out, -1)
