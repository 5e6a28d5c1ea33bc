"""FuseAnyPart's published sampling as the host's SAMPLER and SIGMAS."""

from __future__ import annotations

from typing import Any

import torch
from comfy.samplers import KSAMPLER
from comfy_api.latest import io
from torch import Tensor

from ..injection.fuse_any_part.ddim import ddim, sigmas
from ..injection.fuse_any_part.latents import SCALE
from ..injection.sampling.masked_fusion import CLEAN_SIGMA
from .inputs.schema import FaceNode, field, schema


class FuseAnyPartSampling(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FuseAnyPartSampling",
            display_name="FuseAnyPart Sampling",
            category="face parts/sample",
            description="The sampling that FuseAnyPart was published with: DDIM from scaled-down noise. For Sampler "
            "Custom and Sampler Custom Advanced, with a CFG of 7.5 and the latent of Addition Inject.",
            search_aliases=["FuseAnyPart", "DDIM", "released sampling"],
            inputs=[
                io.Model.Input("model", tooltip="The model that is sampled; its noise schedule must be SD1.5's."),
                field(
                    io.Int, "steps", default=50, min=1, max=1000,
                    tooltip="Number of steps: 50 as published, fewer for a quick look.",
                ),
                field(
                    io.Float, "noise_scale", default=SCALE, min=0.0, max=2.0, step=0.00001, round=0.00001,
                    advanced=True,
                    tooltip="Factor on the first noise: 0.18215 as published, 1 as the model was trained.",
                ),
            ],
            outputs=[
                io.Sampler.Output(display_name="sampler", tooltip="Wire it into sampler of Sampler Custom Advanced."),
                io.Sigmas.Output(display_name="sigmas", tooltip="Wire it into sigmas of Sampler Custom Advanced."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, model: Any, steps: int, noise_scale: float) -> io.NodeOutput:
        own, needed = model.get_model_object("model_sampling").sigmas, sigmas(1000)[1:].flip(0)
        if own.shape != needed.shape or not torch.allclose(own.cpu().double(), needed, rtol=1e-3):
            raise ValueError(
                "model has another noise schedule than SD1.5's; connect the model of Fuse Any Part Loader, without a "
                "node that changes its sampling"
            )
        sampler, levels = KSAMPLER(released_ddim, {"noise_scale": noise_scale}), sigmas(steps).float()
        # The published program decodes the latent of this level, so a node that holds the region outside a mask must
        # count it as clean.
        setattr(sampler, CLEAN_SIGMA, float(levels[-1]))
        return io.NodeOutput(sampler, levels)


def released_ddim(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, callback: Any = None,
    disable: Any = None, noise_scale: float = SCALE,
) -> Tensor:  # fmt: skip
    """The host's sampler function. `x` is not used: DDIM starts from the noise alone, whatever the latent holds."""
    rows = x.new_ones(len(x))

    def predict(latent: Tensor, i: int) -> Tensor:
        sigma = sigmas[i]
        scaled = latent * (1 + sigma**2) ** 0.5
        return (scaled - model(scaled, sigma * rows, **(extra_args or {}))) / sigma

    def after(i: int, latent: Tensor, clean: Tensor) -> None:
        if callback is not None:
            sigma = sigmas[i]
            scaled = latent * (1 + sigma**2) ** 0.5
            callback({"x": scaled, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": clean})

    return ddim(predict, noise_scale * model.noise, sigmas, after)
