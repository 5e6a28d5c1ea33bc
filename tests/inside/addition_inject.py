"""Measures AdditionInject in a real host: parity with a plain computation, what has no effect, and neighbours."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from host import ROOT, finish, says, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.cldm.cldm  # noqa: E402
import comfy.controlnet  # noqa: E402
import comfy.model_management as mm  # noqa: E402
import comfy.ops  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.fuse_any_part import cross_attention as cross_attention_patches  # noqa: E402
from face_part_fusion.injection.fuse_any_part import latents  # noqa: E402
from face_part_fusion.injection.fuse_any_part import resnet as resnet_patches  # noqa: E402
from face_part_fusion.injection.sampling.run import SamplingRun  # noqa: E402
from fuse_models import NARROW, Fap, draw, fap, fused, gap, random_vae  # noqa: E402
from random_models import random_model  # noqa: E402
from runs import runs_alive  # noqa: E402
from support import plain_fuse_any_part as plain  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
# Small pictures keep the narrow model quick; what the node does with them is the same.
latents.SHORTEST = 128
CELLS, CFG = 16, 5.0
DEFAULTS = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "block_weights": "", "seed": 4}
MODES = ("released", "practical")
VAE = random_vae()


def inject(f: Fap, features: Any, **options: Any) -> tuple[Any, ...]:
    """model, positive, negative, latent."""
    given = {"model": f.model, "adapter": f.adapter, "fused": features, "vae": VAE} | DEFAULTS | options
    return tuple(nodes["AdditionInject"].execute(**given).args)


def words(seed: int) -> list[list[Any]]:
    return [[draw(1, 77, 768, seed=seed), {}]]


def sample(injected: tuple[Any, ...], count: int = 1, **options: Any) -> Tensor:
    model, positive, negative, latent = injected
    start = latent["samples"][:1].repeat(count, 1, 1, 1)
    noise = draw(1, *start.shape[1:], seed=9).repeat(count, 1, 1, 1)
    return comfy.sample.sample(
        model, noise, options.get("steps", 1), options.get("cfg", CFG), "euler", "normal", positive, negative,
        start, seed=1, disable_pbar=True,
    )  # fmt: skip


def off(a: Tensor, b: Tensor) -> float:
    """The largest difference, over the size of `b`."""
    return gap(a, b) / float(b.std())


def masked_of(injected: tuple[Any, ...]) -> Tensor:
    """(B, 5, h, w) in the published order: masked latent, then mask."""
    given = injected[1][0][1]["noise_concat"]
    return torch.cat([given[:, 1:], given[:, :1]], 1)


def noise_at(injected: tuple[Any, ...], x: Tensor, t: int, chunks: list[int], text: Tensor | None = None) -> Tensor:
    """The host's noise prediction for x (rows, 4, h, w), in diffusers' scale, at timestep t."""
    model = injected[0]
    mm.load_models_gpu([model, *model.get_additional_models()])
    base = model.model
    sigma = base.model_sampling.sigmas[t]
    scaled = x * (1 + sigma**2) ** 0.5
    options = {**model.model_options["transformer_options"], "cond_or_uncond": chunks}
    text = torch.zeros(len(x), 77, 768) if text is None else text
    clean = base.apply_model(scaled, sigma.repeat(len(x)), c_crossattn=text, transformer_options=options)
    return (scaled - clean) / sigma


def plainly(f: Fap, x: Tensor, t: int, tokens: Tensor, **more: Any) -> Tensor:
    return {"A": plain.predict_a, "B": plain.predict_b}[f.kind](f.published, x, t, tokens, **more)


def parity(f: Fap) -> dict[str, float]:
    """Conditioned and unconditioned rows in one call, and a whole guided loop."""
    features = fused("released")
    injected = inject(f, features)
    masked, x = masked_of(injected), draw(2, 4, CELLS, CELLS, seed=1)
    tokens = torch.cat([features.unconditioned, features.tokens])
    rows = torch.cat([x, masked.repeat(2, 1, 1, 1)], 1)
    result = {str(t): gap(noise_at(injected, x, t, [1, 0]), plainly(f, rows, t, tokens)) for t in (981, 501, 1)}
    model, positive, negative, latent = injected
    sampler, sigmas = nodes["FuseAnyPartSampling"].execute(model, 3, 0.18215).args
    noise, seen = draw(1, 4, CELLS, CELLS, seed=2), []
    ours = comfy.sample.sample_custom(
        model, noise, 7.5, sampler, sigmas, positive, negative, latent["samples"],
        callback=lambda i, clean, now, total: seen.append((i, total)), disable_pbar=True, seed=0,
    )  # fmt: skip
    guided = plain.guided(lambda x, t, h: plainly(f, x, t, h), features.tokens, features.unconditioned, 7.5)
    theirs = plain.ddim_loop(guided, 0.18215 * noise, masked, 3)
    return result | {"loop": gap(ours * 0.18215, theirs), "loop's size": float(theirs.std()), "told": seen}


def no_effect(f: Fap) -> dict[str, float]:
    """A, released: what must change nothing, and what must."""
    features, x = fused("released"), draw(2, 4, CELLS, CELLS, seed=1)
    injected = inject(f, features)
    first = noise_at(injected, x, 501, [1, 0])
    result = {"text": gap(noise_at(injected, x, 501, [1, 0], draw(2, 77, 768, seed=8)), first)}
    other = inject(f, replace(features, tokens=draw(1, 257, 64, seed=70)))
    result["features"] = gap(noise_at(other, x, 501, [1, 0]), first)
    equal = inject(f, replace(features, unconditioned=features.tokens))
    result["equal features and CFG"] = gap(sample(equal, cfg=9.0), sample(equal, cfg=2.0))
    silent = inject(f, features, strength=0.0)
    bias = noise_at(silent, x, 501, [1, 0])
    rows = torch.cat([x, masked_of(silent).repeat(2, 1, 1, 1)], 1)
    tokens = torch.cat([features.unconditioned, features.tokens])
    result["strength 0 against the bias alone"] = gap(bias, plainly(f, rows, 501, tokens, scale=0.0))
    half = noise_at(inject(f, features, strength=0.5), x, 501, [1, 0])
    result["strength half"] = gap(half, plainly(f, rows, 501, tokens, scale=0.5))
    return result | {"q, k and v": _without_projections(f, injected, x, first)}


def _without_projections(f: Fap, injected: tuple[Any, ...], x: Tensor, first: Tensor) -> float:
    unet, before = f.model.model.diffusion_model, {}
    for name, weight in unet.named_parameters():
        if ".attn2.to_q." in name or ".attn2.to_k." in name or ".attn2.to_v." in name:
            before[name] = weight.clone()
            weight.copy_(draw(*weight.shape, seed=3))
    changed = gap(noise_at(injected, x, 501, [1, 0]), first)
    for name, weight in before.items():
        unet.get_parameter(name).copy_(weight)
    return changed if len(before) == 48 else float("nan")


def exact(f: Fap) -> dict[str, float]:
    """Practical: what must leave the model as it is, and where it acts."""
    features, text = fused("practical"), {"positive": words(1), "negative": words(2)}
    full = inject(f, features, **text)
    unpatched = sample((f.model, *full[1:]), steps=2)
    left = torch.zeros(1, 32, 32)
    left[:, :, :16] = 1
    none = {
        "strength 0": {"strength": 0.0}, "blocks 0": {"block_weights": "0 0 0"},
        "between two steps": {"start_percent": 0.5, "end_percent": 0.51},
    }  # fmt: skip
    on = {
        "all": {}, "mask 1": {"mask": torch.ones(1, 32, 32)}, "half the mask": {"mask": left},
        "early": {"end_percent": 0.3}, "mouth 0": {"mouth": 0.0}, "output blocks": {"block_weights": "0, 0, 1"},
    }  # fmt: skip
    made = {name: sample(inject(f, features, **text, **options), steps=2) for name, options in (none | on).items()}
    other = sample(inject(f, features, positive=words(5), negative=words(2)), steps=2)
    return {
        "off": {name: off(made[name], unpatched) for name in none},
        "on": {name: off(made[name], unpatched) for name in on},
        "mask 1 against none": off(made["mask 1"], made["all"]), "text acts": off(other, made["all"]),
        "differ": min(off(made[name], made["all"]) for name in on if name not in ("all", "mask 1")),
    }  # fmt: skip


class Counted:
    """Counts the calls of some methods by the block that they name, while it is entered."""

    def __init__(self, *methods: tuple[Any, str]) -> None:
        self.methods, self.calls = methods, Counter()

    def __enter__(self) -> Counter[str]:
        self.before = [getattr(owner, name) for owner, name in self.methods]
        for (owner, name), method in zip(self.methods, self.before, strict=True):
            setattr(owner, name, self._counting(method))
        return self.calls

    def _counting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            self.calls[next(word for word in given if isinstance(word, str))] += 1
            return method(*given, **named)

        return counting

    def __exit__(self, *_: Any) -> None:
        for (owner, name), method in zip(self.methods, self.before, strict=True):
            setattr(owner, name, method)


def counts(f: Fap, mode: str) -> dict[str, Any]:
    """How often each block fires and each constant is computed in one sampling, and what is kept afterwards."""
    kinds = {
        ("A", "released"): cross_attention_patches.ReleasedCrossAttention,
        ("A", "practical"): cross_attention_patches.PracticalCrossAttention,
        ("B", "released"): resnet_patches.ReleasedResnet, ("B", "practical"): resnet_patches.PracticalResnet,
    }  # fmt: skip
    made: list[None] = []
    injected, before = inject(f, fused(mode)), SamplingRun.__init__

    def watched(self: Any, *given: Any) -> None:
        made.append(None)
        before(self, *given)

    SamplingRun.__init__ = watched
    fires = Counted((kinds[f.kind, mode], "add" if f.kind == "A" else "after_norm"))
    projects = Counted((type(f.adapter.module), "project"))
    with fires as fired, projects as projected:
        sample(injected, steps=3)
    SamplingRun.__init__ = before
    return {"fired": dict(fired), "projected": dict(projected), "runs": len(made), "left": runs_alive()}


def branches(f: Fap, mode: str) -> dict[str, float]:
    """Parent, siblings, clones and repeated use of one model."""
    one, other = inject(f, fused(mode)), inject(f, fused(mode, seed=17))
    unpatched = (f.model, *one[1:])
    options = len(str(f.model.model_options)), len(f.model.object_patches), len(f.model.additional_models)
    before, first, second = sample(unpatched), sample(one), sample(other)
    return {
        "acts": off(first, before), "siblings differ": off(first, second), "again": off(sample(one), first),
        "grandchild": off(sample((one[0].clone().clone(), *one[1:])), first),
        "patched anew": off(sample(inject(f, fused(mode))), first), "parent": off(sample(unpatched), before),
        "parent's options": float(
            (len(str(f.model.model_options)), len(f.model.object_patches), len(f.model.additional_models)) != options
        ),
    }  # fmt: skip


def batches(f: Fap, mode: str) -> dict[str, float]:
    """Four rows: of one picture, and of four; conditioned and unconditioned in one call and in two."""
    together = inject(f, fused(mode, 4))
    one_call = sample(together, 4)

    def alone(arguments: dict[str, Any]) -> list[Tensor]:
        given = {k: arguments[k] for k in ("model", "input", "sigma", "model_options")}
        positive, negative = arguments["conds"]
        calls = [[positive, None], [None, negative]]
        return [
            comfy.samplers.calc_cond_batch(given["model"], c, given["input"], given["sigma"], given["model_options"])[i]
            for i, c in enumerate(calls)
        ]

    split = together[0].clone()
    split.set_model_sampler_calc_cond_batch_function(alone)
    features = fused(mode, 4)
    third = replace(
        features, tokens=features.tokens[2:3], parts={k: v[2:3] for k, v in features.parts.items()},
        origin=features.origin[2:3], target=fused(mode).target,
    )  # fmt: skip
    lone = inject(f, third)
    # The noise of the masked region is drawn for all pictures at once.
    lone[1][0][1]["noise_concat"] = together[1][0][1]["noise_concat"][2:3]
    addition = lone[0].model_options["transformer_options"]["wrappers"]["apply_model"]
    third_channels = together[1][0][1]["noise_concat"][2:3]
    lone_masked = latents.MaskedLatent(third_channels[:, :1], third_channels[:, 1:])
    next(iter(addition.values()))[0].__self__._masked = lone_masked
    picture = sample((lone[0], lone[1], lone[1], lone[3]))
    same = sample(inject(f, fused(mode)), 4)
    return {
        "two calls": off(sample((split, *together[1:]), 4), one_call), "pictures differ": off(one_call[0], one_call[2]),
        "one of four": off(picture[0], one_call[2]), "rows of one picture": off(same, same[:1]),
        "one row": off(same[:1], sample(inject(f, fused(mode)))),
    }  # fmt: skip


def neighbours(f: Fap, mode: str) -> dict[str, float]:
    """A LoRA, an attention replacement, an addition and a ControlNet of others, and casting as in low-VRAM mode."""
    injected = inject(f, fused(mode))
    model, rest, expected = injected[0], injected[1:], sample(injected)
    lora, fused_lora = model.clone(), f.model.clone()
    keys = [k for k in f.model.model.state_dict() if "attn2.to_out.0.weight" in k or "attn1.to_q.weight" in k]
    lowered = {k: (0.2 * draw(*f.model.model.state_dict()[k].shape, seed=i),) for i, k in enumerate(keys)}
    accepted = [len(m.add_patches(lowered, 1.0)) for m in (lora, fused_lora)]
    before, after = sample((lora, *rest)), sample((inject(replace(f, model=fused_lora), fused(mode))[0], *rest))
    expected = sample(injected)  # the model's own weights are back in their place
    weights = f.model.model.state_dict()
    held = {k: weights[k].clone() for k in keys}
    for k in keys:
        weights[k].add_(lowered[k][0])
    merged = sample(injected)
    for k in keys:
        weights[k].copy_(held[k])
    replaced = model.clone()
    for block in (("input", 4), ("middle", 0), ("output", 5)):
        replaced.set_model_attn2_replace(lambda q, k, v, options: q * 0.5 + v.mean(1, keepdim=True), *block)
    adds = model.clone()
    adds.set_model_attn2_output_patch(lambda n, options: n + 0.05)
    text, more = rest[0][0]
    area = [[text, {**more, "area": (8, 8, 4, 6)}], *rest[0]]
    return {
        "LoRA accepted": accepted == [len(keys)] * 2, "LoRA acts": off(before, expected),
        "LoRA after": off(before, merged), "LoRA before": off(after, merged),
        "LoRA gone": off(sample(injected), expected),
        "replacement": off(sample((replaced, *rest)), expected), "addition": off(sample((adds, *rest)), expected),
        **_control(injected, expected), "low VRAM": _low_vram(f, injected, expected),
        "area": off(sample((model, area, *rest[1:])), expected),
    }  # fmt: skip


def _control(injected: tuple[Any, ...], expected: Tensor) -> dict[str, float]:
    net = comfy.cldm.cldm.ControlNet(
        hint_channels=3, image_size=32, in_channels=4, model_channels=NARROW[0], num_res_blocks=[2] * 4,
        channel_mult=tuple(w // NARROW[0] for w in NARROW), transformer_depth=[1] * 6 + [0, 0], context_dim=768,
        transformer_depth_middle=1, use_spatial_transformer=True, legacy=False, adm_in_channels=None, num_heads=8,
        num_head_channels=-1, dtype=torch.float32, operations=comfy.ops.manual_cast, device="cpu",
    )  # fmt: skip
    for i, weight in enumerate(net.parameters()):
        weight.copy_(draw(*weight.shape, seed=i) / max(1, weight[0].numel()) ** 0.5)
    control = comfy.controlnet.ControlNet(net, load_device=torch.device("cpu"), manual_cast_dtype=torch.float32)
    control.set_cond_hint(torch.rand(1, 3, 8 * CELLS, 8 * CELLS), 0.3)
    model, positive, negative, latent = injected
    with_it = [[[c[0], {**c[1], "control": control, "control_apply_to_uncond": True}] for c in (positive[0],)]] * 2
    steered = sample((model, *with_it, latent))
    return {"control acts": off(steered, expected), "control gone": off(sample(injected), expected)}


def _low_vram(f: Fap, injected: tuple[Any, ...], expected: Tensor) -> float:
    casting = [m for m in f.model.model.modules() if hasattr(m, "comfy_cast_weights")]
    for module in casting:
        module.comfy_cast_weights = True
    cast = sample(injected)
    for module in casting:
        module.comfy_cast_weights = False
    return off(cast, expected) if casting else float("nan")


@functools.cache
def in_half(kind: str, dtype: torch.dtype) -> Fap:
    return fap(kind, dtype=dtype)


def half(f: Fap, mode: str) -> dict[str, float]:
    """The same weights in half precision against float32, over the size of what is injected."""
    features, x = fused(mode), draw(2, 4, CELLS, CELLS, seed=1)
    full = noise_at(inject(f, features), x, 501, [1, 0])
    without = noise_at(inject(f, fused(mode, seed=17)), x, 501, [1, 0])
    result = {}
    for dtype in (torch.bfloat16, torch.float16):
        made = noise_at(inject(in_half(f.kind, dtype), features), x, 501, [1, 0])
        result[str(dtype)] = float((made - full).std() / (full - without).std())
    return result


def odd_sizes(f: Fap) -> dict[str, Any]:
    """Pictures that are not square, and latents whose sides are odd or not divisible by 8."""
    result = {}
    for mode in MODES:
        for size in ((128, 192), (200, 136), (121, 150)):
            injected = inject(f, fused(mode, size=size))
            latent = injected[3]["samples"]
            result[f"{mode} {size}"] = [*latent.shape[-2:], bool(sample(injected).isfinite().all())]
    return result


def errors(f: Fap) -> dict[str, str]:
    features = fused("released")
    four = fap("A")
    unet = four.model.model.diffusion_model
    unet.in_channels = 4
    injected = inject(f, fused("practical"))
    small = {"samples": injected[3]["samples"][..., :8]}
    grid = replace(features, grid=(24, 24), tokens=draw(1, 577, 64), unconditioned=draw(1, 577, 64))
    empty = {part: torch.zeros(1, 4) for part in features.target.boxes}
    wide = random_vae()
    wide.encode = lambda pictures: torch.zeros(len(pictures), 16, pictures.shape[1] // 8, pictures.shape[2] // 8)
    return {
        "4 channels": says(lambda: inject(four, features)),
        "SDXL": says(lambda: inject(replace(f, model=random_model("sdxl")), features)),
        "flow": says(lambda: inject(replace(f, model=random_model("flow")), features)),
        "width": says(lambda: inject(f, fused("released", width=32))),
        "kind": says(lambda: inject(replace(f, adapter=replace(f.adapter, kind="C")), features)),
        "grid": says(lambda: inject(f, grid)),
        "twice": says(lambda: inject(replace(f, model=injected[0]), features)),
        "part": says(lambda: inject(f, features, brows=0.5)),
        "blocks": says(lambda: inject(f, features, block_weights="1 2")),
        "percent": says(lambda: inject(f, features, start_percent=0.8, end_percent=0.2)),
        "mask": says(lambda: inject(f, features, mask=torch.ones(3, 8, 8))),
        "empty boxes": says(lambda: inject(f, replace(features, target=replace(features.target, boxes=empty)))),
        "vae": says(lambda: inject(f, features, vae=wide)),
        "latent size": says(lambda: sample((injected[0], words(1), words(2), small))),
        "schedule": says(lambda: nodes["FuseAnyPartSampling"].execute(random_model("flow"), 5, 1.0)),
    }  # fmt: skip


def main() -> None:
    with torch.inference_mode():
        both = {kind: fap(kind) for kind in "AB"}
        each = [(f"{kind} {mode}", f, mode) for kind, f in both.items() for mode in MODES]
        finish(
            {
                "parity": {kind: parity(f) for kind, f in both.items()}, "no effect": no_effect(both["A"]),
                "exact": {kind: exact(f) for kind, f in both.items()},
                "counts": {name: counts(f, mode) for name, f, mode in each},
                "branches": {name: branches(f, mode) for name, f, mode in each},
                "batches": {name: batches(f, mode) for name, f, mode in each},
                "neighbours": {name: neighbours(f, mode) for name, f, mode in each},
                "half": {name: half(f, mode) for name, f, mode in each},
                "sizes": {kind: odd_sizes(f) for kind, f in both.items()}, "errors": errors(both["A"]),
            }
        )  # fmt: skip


main()
