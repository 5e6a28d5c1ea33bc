"""Guiders of a real host that give their conditionings to the model in other orders than the usual one.

For scripts beside this file, after `host.start()`.
"""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_perpneg import Guider_PerpNeg
from torch import Tensor

CFG = 4.0
# Low, so that the rounding of batches of other sizes, which grows with the noise, stays far below the bound.
SIGMAS = torch.tensor([2.0, 0.5, 0.0])


def run(guider: Any, latent: Tensor) -> Tensor:
    noise = torch.randn(1, *latent.shape[1:], generator=torch.Generator().manual_seed(9)).repeat(len(latent), 1, 1, 1)
    return guider.sample(noise, latent, comfy.samplers.sampler_object("euler"), SIGMAS, seed=1, disable_pbar=True)


def usual(model: Any, positive: Any, negative: Any, cfg: float = CFG) -> Any:
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def dual(model: Any, positive: Any, negative: Any, nested: bool) -> Any:
    guider = Guider_DualCFG(model)
    guider.set_conds(positive, positive, negative)
    guider.set_cfg(3.0, CFG, nested)
    return guider


def perpendicular(model: Any, positive: Any, negative: Any) -> Any:
    guider = Guider_PerpNeg(model)
    guider.set_conds(positive, negative, negative)
    guider.set_cfg(CFG, 0.7)
    return guider


def alone(model: Any) -> tuple[Any, list[float]]:
    """The model, and how far its unconditioned rows are from those of a call for the negative alone."""
    found: list[float] = []

    def after(given: dict[str, Any]) -> Tensor:
        (again,) = comfy.samplers.calc_cond_batch(
            given["model"], [given["uncond"]], given["input"], given["sigma"], given["model_options"]
        )
        found.append(float((again - given["uncond_denoised"]).abs().max()))
        return given["denoised"]

    watched = model.clone()
    watched.set_model_sampler_post_cfg_function(after, disable_cfg1_optimization=True)
    return watched, found


def apart(model: Any, positive: Any, negative: Any, start: Tensor) -> dict[str, float]:
    """How far other guiders' results are from the usual one's: not at all, where the texts make no difference.

    "alone": of the negative's rows when they are computed by themselves. "guided": of the usual one without guidance.
    """
    expected = run(usual(model, positive, negative), start)
    watched, by_itself = alone(model)
    run(usual(watched, positive, negative), start)
    made = {
        "dual": run(dual(model, positive, negative, False), start),
        "nested": run(dual(model, positive, negative, True), start),
        "perpendicular": run(perpendicular(model, positive, negative), start),
        "guided": run(usual(model, positive, negative, 1.0), start),
    }  # fmt: skip
    return {name: float((one - expected).abs().max()) for name, one in made.items()} | {"alone": max(by_itself)}
