"""Measures MaskedFusion in a real host on three model families with random weights."""

from __future__ import annotations

from typing import Any

from host import finish, start

nodes = start()

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from comfy_extras import nodes_differential_diffusion  # noqa: E402
from random_models import FAMILIES, random_conditioning, random_model  # noqa: E402
from small_encoders import random_vae  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
SIDE, STEPS, SEED = 8, 5, 7
SAMPLERS = ("euler", "euler_ancestral", "dpmpp_2m")
MORE_SAMPLERS = (*SAMPLERS, "heun", "dpmpp_sde", "lcm", "uni_pc", "ddim")
LEFT = torch.zeros(1, SIDE, SIDE).index_fill(2, torch.arange(SIDE // 2), 1.0)
TOP = LEFT.transpose(1, 2)
RAMP = torch.linspace(0, 1, SIDE).expand(1, SIDE, SIDE)


def fuse(model: Any, target: Tensor, mask: Tensor, start: float = 0.0, end: float = 1.0, keep: bool = True) -> Any:
    return nodes["MaskedFusion"].execute(model, {"samples": target}, mask, start, end, keep)[0]


class Family:
    def __init__(self, kind: str) -> None:
        self.kind, self.model, self.channels = kind, random_model(kind), FAMILIES[kind].channels
        self.samplers = MORE_SAMPLERS if kind == "flow" else SAMPLERS
        self.target, self.other = self.latent(1), self.latent(2)
        self.sampling = self.model.get_model_object("model_sampling")

    def latent(self, seed: int, count: int = 1) -> Tensor:
        return torch.randn(count, self.channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))

    def sample(self, model: Any, latent: Tensor, sampler: str = "euler", noise: bool = True, **more: Any) -> Tensor:
        made = comfy.sample.prepare_noise(latent, SEED) if noise else torch.zeros_like(latent)
        words = [random_conditioning(self.kind, i, tokens=8) for i in (1, 2)]
        more = {"seed": SEED, "disable_pbar": True, **more}
        return comfy.sample.sample(model, made, STEPS, 2.0, sampler, "normal", *words, latent, **more)

    def oracle(self, picture: Tensor, model: Any = None) -> Any:
        """The model with this picture as its every estimate of the clean latent."""
        clone = (model or self.model).clone()
        clean = self.model.model.process_latent_in(picture)
        clone.set_model_unet_function_wrapper(lambda apply, call: clean.expand_as(call["input"]).clone())
        return clone


def gap(a: Tensor, b: Tensor, where: Tensor | None = None) -> float:
    apart = (a - b).abs()
    return float((apart if where is None else apart * where).max().detach())


def seen_by(model: Any) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
    """The model, and a list that gets x and sigma of its every call."""
    calls: list[tuple[Tensor, Tensor]] = []

    def call(apply: Any, given: dict[str, Any]) -> Tensor:
        calls.append((given["input"].clone(), given["timestep"].clone()))
        return apply(given["input"], given["timestep"], **given["c"])

    watched = model.clone()
    watched.set_model_unet_function_wrapper(call)
    return watched, calls


def samplers(f: Family) -> dict[str, dict[str, float]]:
    white, result = torch.ones(1, 64, 64), {}
    for name in f.samplers:
        plain, free = f.sample(f.model, f.other, name), f.sample(fuse(f.model, f.target, white), f.other, name)
        held = f.sample(fuse(f.model, f.target, LEFT), f.other, name)
        unset = f.sample(fuse(f.model, f.target, LEFT, keep=False), f.other, name)
        result[name] = {
            "white": gap(plain, free), "outside": gap(held, f.target, 1 - LEFT), "inside": gap(held, f.target, LEFT),
            "outside_by_steps": gap(unset, f.target, 1 - LEFT), "finite": bool(held.isfinite().all()),
            "context": gap(held, plain, LEFT),
        }  # fmt: skip
    return result


def steps(f: Family) -> dict[str, Any]:
    """How far what the model is given lies from the target at the step's noise, outside; and the same in a window."""
    noise, clean = comfy.sample.prepare_noise(f.other, SEED), f.model.model.process_latent_in(f.target)

    def off(model: Any, sampler: str) -> list[float]:
        watched, calls = seen_by(model)
        f.sample(watched, f.other, sampler)
        want = [f.sampling.noise_scaling(sigma[:1].reshape(1, 1, 1, 1), noise, clean) for _, sigma in calls]
        return [gap(x, w, 1 - LEFT) for (x, _), w in zip(calls, want, strict=True)]

    held = off(fuse(f.model, f.target, LEFT), "euler_ancestral")
    window = off(fuse(f.model, f.target, LEFT, 0.2, 0.7), "euler_ancestral")
    return {"off": max(held), "calls": len(held), "window": window}


def oracle(f: Family) -> dict[str, Any]:
    """With an oracle: the sampler's own result inside, the target outside, a mix in proportion on a soft edge."""
    picture = f.latent(3)
    own = f.sample(f.oracle(picture), f.other)
    held = f.sample(f.oracle(picture, fuse(f.model, f.target, LEFT)), f.other)
    soft = {}
    for name in f.samplers:
        mixed = f.sample(f.oracle(picture, fuse(f.model, f.target, RAMP)), f.other, name)
        soft[name] = gap(mixed, picture * RAMP + f.target * (1 - RAMP))
    late = f.sample(f.oracle(picture, fuse(f.model, f.target, RAMP, end=0.5)), f.other)
    loose = f.sample(f.oracle(picture, fuse(f.model, f.target, RAMP, end=0.5, keep=False)), f.other)
    return {
        "inside": gap(held, own, LEFT), "outside": gap(held, f.target, 1 - LEFT), "soft": soft,
        "late": gap(late, picture * RAMP + f.target * (1 - RAMP)), "loose": gap(loose, picture),
    }  # fmt: skip


def with_noise_mask(f: Family) -> dict[str, float]:
    """The host keeps the bottom at the sampled latent, the node the right half at the target."""
    picture = f.latent(3)
    both = f.sample(f.oracle(picture, fuse(f.model, f.target, LEFT)), f.other, noise_mask=TOP)
    return {
        "both": gap(both, picture, LEFT * TOP), "node": gap(both, f.target, (1 - LEFT) * TOP),
        "host": gap(both, f.other, 1 - TOP),
    }  # fmt: skip


def other_maskers(f: Family) -> dict[str, dict[str, float]]:
    """The host's other maskers around the node; in a column each their mask is black, grey and white.

    `kept`, `mixed`: black and grey without Differential Diffusion, all and half the sampler's latent.
    """
    noise_mask, picture = torch.tensor([0, 0, 0.5, 0.5, 0.5, 1, 1, 1]).expand(1, SIDE, SIDE), f.latent(3)
    differential = nodes_differential_diffusion.DifferentialDiffusion.execute

    def fused(model: Any, end: float = 1.0) -> Any:
        return f.oracle(picture, fuse(model, f.target, TOP, end=end))

    models = {
        "noise mask": fused(f.model), "differential before": fused(differential(f.model)[0]),
        "differential after": differential(fused(f.model))[0],
        "differential and early end": differential(fused(f.model, 0.6))[0],
        "differential by half": differential(fused(f.model), 0.5)[0],
    }  # fmt: skip
    result, outside = {}, 1 - TOP
    for name, model in models.items():
        made = f.sample(model, f.other, noise_mask=noise_mask)
        result[name] = {
            "black": gap(made, f.target, outside * (noise_mask == 0)),
            "kept": gap(made, f.other, outside * (noise_mask == 0)),
            "grey": gap(made, f.target, outside * (noise_mask == 0.5)),
            "mixed": gap(made, (f.target + f.other) / 2, outside * (noise_mask == 0.5)),
            "white": gap(made, f.target, outside * (noise_mask == 1)),
            "free": gap(made, picture, TOP * (noise_mask == 1)),
        }
    return result


def inpaint(f: Family) -> dict[str, float]:
    """The host's inpaint conditioning gives a latent of its own with the mask as its noise mask."""
    import nodes as host_nodes

    vae, picture = random_vae(f.channels), f.latent(3)
    words = [random_conditioning(f.kind, i, tokens=8) for i in (1, 2)]
    pixels = torch.rand(1, 8 * SIDE, 8 * SIDE, 3, generator=torch.Generator().manual_seed(4))
    mask = torch.nn.functional.interpolate(TOP[None], scale_factor=8)[0]
    positive, negative, latent = host_nodes.InpaintModelConditioning().encode(*words, pixels, vae, mask)
    model = f.oracle(picture, fuse(f.model, latent["samples"], mask))
    start = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
    made = comfy.sample.sample(
        model, comfy.sample.prepare_noise(start, SEED), STEPS, 2.0, "euler", "normal", positive, negative, start,
        noise_mask=latent["noise_mask"], seed=SEED, disable_pbar=True,
    )  # fmt: skip
    return {"outside": gap(made, start, 1 - TOP), "free": gap(made, picture, TOP * TOP.roll(-1, 1))}


def clones(f: Family) -> dict[str, float]:
    plain = f.sample(f.model, f.other)
    first, second = fuse(f.model, f.target, LEFT), fuse(f.model, f.other, TOP)
    one, two = f.sample(first, f.other), f.sample(second, f.target)
    again = f.sample(first.clone(), f.other)
    chain = f.sample(fuse(first, f.latent(4), TOP), f.other)
    return {
        "sibling": gap(again, one), "second": gap(two, f.other, 1 - TOP),
        "parent": gap(f.sample(f.model, f.other), plain), "repeat": gap(f.sample(first, f.other), one),
        "left_over": len(first.wrappers.get("predict_noise", {})),
        "chain_later": gap(chain, f.latent(4), 1 - TOP), "chain_earlier": gap(chain, f.target, (1 - LEFT) * TOP),
        "chain_inside": gap(chain, f.target, LEFT * TOP),
    }  # fmt: skip


def batch(f: Family) -> dict[str, float]:
    masks, targets = torch.cat([LEFT, TOP]), f.latent(5, 2)
    done = f.sample(fuse(f.model, targets, masks), f.latent(6, 2))
    one = f.sample(fuse(f.model, f.target, LEFT), f.latent(6, 2))
    return {
        "own": gap(done, targets, 1 - masks[:, None]), "inside": gap(done, targets, masks[:, None]),
        "shared": gap(one, f.target.expand(2, -1, -1, -1), 1 - LEFT),
    }  # fmt: skip


def stages(f: Family) -> dict[str, float]:
    """Two samplers in a row: the first leaves its noise, the second adds none."""
    picture, fused = f.latent(3), fuse(f.model, f.target, RAMP)
    first = f.sample(f.oracle(picture, fused), f.other, last_step=3)
    watched, calls = seen_by(fuse(f.model, f.target, LEFT))
    f.sample(watched, first, noise=False, start_step=3)
    second = f.sample(f.oracle(picture, fused), first, noise=False, start_step=3)
    noise, clean = comfy.sample.prepare_noise(f.other, SEED), f.model.model.process_latent_in(f.target)
    want = [f.sampling.noise_scaling(sigma[:1].reshape(1, 1, 1, 1), noise, clean) for _, sigma in calls]
    return {
        "level": max(gap(x, w, 1 - LEFT) for (x, _), w in zip(calls, want, strict=True)),
        "end": gap(second, picture * RAMP + f.target * (1 - RAMP)), "noisy": gap(first, f.target, 1 - LEFT),
    }  # fmt: skip


def released(f: Family) -> dict[str, float]:
    """FuseAnyPart's own sampling, which ends above sigma 0: whole, without the target set, and its first half alone."""

    def run(model: Any, part: slice = slice(None)) -> Tensor:
        sampler, sigmas = nodes["FuseAnyPartSampling"].execute(f.model, 4, 0.18215).args
        words = [random_conditioning(f.kind, i, tokens=8) for i in (1, 2)]
        noise = comfy.sample.prepare_noise(f.other, SEED)
        return comfy.sample.sample_custom(
            model, noise, 2.0, sampler, sigmas[part], *words, f.other, seed=SEED, disable_pbar=True
        )

    held, free = fuse(f.model, f.target, LEFT), fuse(f.model, f.target, LEFT, keep=False)
    return {
        "outside": gap(run(held), f.target, 1 - LEFT), "inside": gap(run(held), f.target, LEFT),
        "free": gap(run(free), f.target, 1 - LEFT), "first half": gap(run(held, slice(3)), f.target, 1 - LEFT),
    }  # fmt: skip


def refusals(f: Family) -> dict[str, str]:
    import comfy.nested_tensor

    nested = comfy.nested_tensor.NestedTensor((f.other, f.other))
    tries = {
        "size": lambda: f.sample(fuse(f.model, f.target[..., :6], LEFT), f.other),
        "channels": lambda: f.sample(fuse(f.model, f.target[:, :3], LEFT), f.other),
        "targets": lambda: f.sample(fuse(f.model, f.latent(1, 3), LEFT), f.latent(1, 2)),
        "masks": lambda: f.sample(fuse(f.model, f.target, LEFT.expand(3, -1, -1)), f.latent(1, 2)),
        "packed": lambda: f.sample(fuse(f.model, f.target, LEFT), nested),
        "nested": lambda: fuse(f.model, nested, LEFT),
    }
    said = {}
    for name, attempt in tries.items():
        try:
            attempt()
            said[name] = ""
        except ValueError as error:
            said[name] = str(error)
    return said


EVERYWHERE = (samplers, steps, oracle, with_noise_mask, other_maskers, inpaint, stages)
ONCE = (clones, batch, refusals)
measured: dict[str, Any] = {}
for kind in FAMILIES:
    family = Family(kind)
    measured[kind] = {check.__name__: check(family) for check in EVERYWHERE}
    measured |= {check.__name__: check(family) for check in ONCE if kind == "flow"}
    measured |= {"released": released(family)} if kind == "sd15" else {}
finish(measured)
