"""Measures AdditionInject under guiders that order their conditionings in another way, and latents of other counts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from host import ROOT, finish, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import torch  # noqa: E402
from comfy_extras.nodes_custom_sampler import Guider_DualCFG  # noqa: E402
from comfy_extras.nodes_perpneg import Guider_PerpNeg  # noqa: E402
from face_part_fusion.injection import latents  # noqa: E402
from fuse_models import Fap, draw, fap, fused, gap, random_vae  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
latents.SHORTEST = 128
CFG, VAE = 4.0, random_vae()
SIGMAS = torch.tensor([10.0, 2.0, 0.0])


def inject(f: Fap, features: Any, **options: Any) -> tuple[Any, ...]:
    given = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "block_weights": "", "seed": 4} | options
    made = nodes["AdditionInject"].execute(model=f.model, adapter=f.adapter, fused=features, vae=VAE, **given)
    return tuple(made.args)


def run(guider: Any, latent: Tensor) -> Tensor:
    noise = draw(1, *latent.shape[1:], seed=9).repeat(len(latent), 1, 1, 1)
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
    apart: list[float] = []

    def after(given: dict[str, Any]) -> Tensor:
        (again,) = comfy.samplers.calc_cond_batch(
            given["model"], [given["uncond"]], given["input"], given["sigma"], given["model_options"]
        )
        apart.append(gap(again, given["uncond_denoised"]))
        return given["denoised"]

    watched = model.clone()
    watched.set_model_sampler_post_cfg_function(after, disable_cfg1_optimization=True)
    return watched, apart


def guiders(f: Fap) -> dict[str, float]:
    """Where both prompts are one, the text counts for nothing and these give what the usual guider gives."""
    model, positive, negative, latent = inject(f, fused("released"))
    start = latent["samples"]
    expected = run(usual(model, positive, negative), start)
    watched, apart = alone(model)
    run(usual(watched, positive, negative), start)
    text, more = positive[0]
    area = [[text, {**more, "area": (8, 8, 4, 6)}], *positive]
    return {
        "dual": gap(run(dual(model, positive, negative, False), start), expected),
        "nested": gap(run(dual(model, positive, negative, True), start), expected),
        "perpendicular": gap(run(perpendicular(model, positive, negative), start), expected),
        "negative alone": max(apart), "guided": gap(expected, run(usual(model, positive, negative, 1.0), start)),
        "area": gap(run(dual(model, area, negative, False), start), run(usual(model, area, negative), start)),
    }  # fmt: skip


def says(work: Callable[[], Any]) -> str:
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


def refusals(f: Fap) -> dict[str, str]:
    two, one = inject(f, fused("practical", 2)), fused("practical")
    text = [[draw(1, 77, 2048), {}]]
    outside = torch.zeros(1, 32, 32)
    outside[:, 31] = 1
    return {
        "counts": says(lambda: run(usual(*two[:3]), two[3]["samples"][:1].repeat(3, 1, 1, 1))),
        "half": says(lambda: run(usual(*two[:3]), two[3]["samples"][:1])),
        "text": says(lambda: inject(f, one, positive=text)),
        "negative": says(lambda: inject(f, one, negative=[[draw(1, 77, 640), {}]])),
        "gated": says(lambda: inject(f, fused("released"), positive=text, start_percent=0.5)),
        "ignored": says(lambda: inject(f, fused("released"), positive=text)),
        "black": says(lambda: inject(f, one, mask=torch.zeros(1, 32, 32))),
        "black, released": says(lambda: inject(f, fused("released"), mask=torch.zeros(1, 32, 32))),
        "outside": says(lambda: inject(f, one, mask=outside)),
        "never": says(lambda: inject(f, one, start_percent=1.0, end_percent=1.0)),
        "nan": says(lambda: inject(f, one, start_percent=float("nan"))),
        "strength": says(lambda: inject(f, one, strength=float("nan"))),
        "part": says(lambda: inject(f, one, mouth=float("nan"))),
    }  # fmt: skip


with torch.inference_mode():
    both = {kind: fap(kind) for kind in "AB"}
    finish({"guiders": {kind: guiders(f) for kind, f in both.items()}, "refusals": refusals(both["A"])})
