"""Measures AdditionInject under guiders that order their conditionings in another way, and latents of other counts."""

from __future__ import annotations

import sys
from typing import Any

from host import ROOT, finish, says, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import torch  # noqa: E402
from face_part_fusion.injection.fuse_any_part import latents  # noqa: E402
from fuse_models import Fap, draw, fap, fused, gap, random_vae  # noqa: E402
from guider_kinds import apart, dual, run, usual  # noqa: E402

torch.set_num_threads(1)
latents.SHORTEST = 128
VAE = random_vae()


def inject(f: Fap, features: Any, **options: Any) -> tuple[Any, ...]:
    given = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "block_weights": "", "seed": 4} | options
    made = nodes["AdditionInject"].execute(model=f.model, adapter=f.adapter, fused=features, vae=VAE, **given)
    return tuple(made.args)


def guiders(f: Fap) -> dict[str, float]:
    """Where both prompts are one, the text counts for nothing and these give what the usual guider gives."""
    model, positive, negative, latent = inject(f, fused("released"))
    start = latent["samples"]
    text, more = positive[0]
    area = [[text, {**more, "area": (8, 8, 4, 6)}], *positive]
    in_area = gap(run(dual(model, area, negative, False), start), run(usual(model, area, negative), start))
    return apart(model, positive, negative, start) | {"area": in_area}


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
