"""Measures FaceX's controller and AdditionInject on one model in a real host, applied in both orders."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from host import ROOT, finish, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.fuse_any_part import latents  # noqa: E402
from facex_models import Plain, applied, controller, draw, face, gap  # noqa: E402
from fuse_models import Fap, fap, fused, random_vae  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
# Small pictures keep the narrow model quick; what the nodes do with them is the same.
latents.SHORTEST = 128
LEVELS = (32, 64, 128, 128)
SETTINGS = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "block_weights": "", "seed": 4}
VAE = random_vae()


def inject(f: Fap, mode: str, on: Any = None, **options: Any) -> tuple[Any, ...]:
    """AdditionInject on `on`, with a prompt: model, positive, negative, latent."""
    words = {name: [[draw(1, 77, 768, seed=seed), {}]] for name, seed in (("positive", 1), ("negative", 2))}
    given = {"model": on or f.model, "adapter": f.adapter, "fused": fused(mode), "vae": VAE, **words}
    return tuple(nodes["AdditionInject"].execute(**(given | SETTINGS | options)).args)


def sample(model: Any, conditions: tuple[Any, ...], steps: int = 1) -> Tensor:
    positive, negative, latent = conditions
    noise, start = draw(*latent["samples"].shape, seed=9), latent["samples"]
    return comfy.sample.sample(
        model, noise, steps, 5.0, "euler", "normal", positive, negative, start, seed=1, disable_pbar=True
    )


def both_orders(f: Fap, mode: str, held: Any, **options: Any) -> tuple[Tensor, Tensor]:
    """Addition, then controller; controller, then addition."""
    added, *conditions = inject(f, mode, **options)
    first = sample(applied(added, held, face()), tuple(conditions))
    added, *conditions = inject(f, mode, applied(f.model, held, face()), **options)
    return first, sample(added, tuple(conditions))


def figures(f: Fap, mode: str, new: Any, trained: Any) -> dict[str, float]:
    added, *conditions = inject(f, mode)
    plain_model, alone = sample(f.model, conditions), sample(added, conditions)
    steered = sample(applied(f.model, trained, face()), conditions)
    one, other = both_orders(f, mode, trained)
    with Plain(f.model, trained, face()):
        plain = sample(added, conditions)
    zero = both_orders(f, mode, new)
    off = applied(added, trained, face(), strength=0.0)
    result = {
        "addition acts": gap(alone, plain_model), "controller acts": gap(steered, plain_model),
        "both against addition": gap(one, alone), "both against controller": gap(one, steered),
        "order": gap(other, one), "plain": gap(one, plain), "zero": max(gap(made, alone) for made in zero),
        "controller off": gap(sample(off, conditions), alone),
        "addition afterwards": gap(sample(added, conditions), alone),
        "model afterwards": gap(sample(f.model, conditions), plain_model),
    }  # fmt: skip
    if mode == "practical":
        result["addition off"] = max(gap(made, steered) for made in both_orders(f, mode, trained, strength=0.0))
    return result


def everything(f: Fap, held: Any) -> dict[str, float]:
    """With a LoRA and with attention that another node has replaced, against the equations written out."""
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_out.0.weight"
    lora = f.model.clone()
    accepted = lora.add_patches({key: (0.5 * draw(128, 128, seed=4),)}, 1.0)
    added, *conditions = inject(replace(f, model=lora), "practical")
    with Plain(f.model, held, face()):
        plain = sample(added, conditions)
    done = [sample(m, conditions) for m in (
        applied(added, held, face()), inject(f, "practical", applied(lora, held, face()))[0],
    )]  # fmt: skip
    other = f.model.clone()
    for block in (("input", 4), ("middle", 0), ("output", 5)):
        other.set_model_attn2_replace(lambda q, k, v, options: q * 0.5 + v.mean(1, keepdim=True), *block)
    replaced = {mode: both_orders(replace(f, model=other), mode, held) for mode in ("released", "practical")}
    without = {mode: sample(*split(inject(f, mode, other))) for mode in replaced}
    return {
        "accepted": len(accepted), "lora": max(gap(made, plain) for made in done),
        "lora acts": gap(done[0], both_orders(f, "practical", held)[0]),
        "replaced, order": max(gap(*made) for made in replaced.values()),
        "replaced, controller acts": min(gap(made[0], without[mode]) for mode, made in replaced.items()),
    }  # fmt: skip


def split(injected: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    return injected[0], injected[1:]


def main() -> None:
    base = Path(sys.argv[2])
    with torch.inference_mode():
        new, trained = controller("sd15", base, False), controller("sd15", base, True)
        both = {kind: fap(kind, LEVELS) for kind in "AB"}
        found: dict[str, Any] = {
            f"{kind} {mode}": figures(f, mode, new, trained)
            for kind, f in both.items() for mode in ("released", "practical")
        }  # fmt: skip
        finish(found | {"everything": {kind: everything(f, trained) for kind, f in both.items()}})


main()
