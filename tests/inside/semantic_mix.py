"""Measures SemanticMix in a real host: `semantic_mix.py HOST BASE [TAESD FOLDER, PORTRAITS FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from host import finish, start

nodes = start()

import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import torch  # noqa: E402
from random_models import FAMILIES, random_conditioning, random_model  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
SIDE, STEPS, SEED = 8, 5, 7
SAMPLERS = ("ddim", "euler", "euler_ancestral", "dpmpp_sde", "uni_pc")
HEAD = torch.zeros(1, SIDE, SIDE).index_fill(2, torch.arange(3), 1.0)
BODY = torch.zeros(1, SIDE, SIDE).index_fill(2, torch.arange(5, 8), 1.0)
# Its values and what they leave of 1 are exact in float32, so that only the order of the sums can differ.
RAMP = (torch.arange(SIDE) / SIDE).expand(1, SIDE, SIDE)
CASES = {"one": (HEAD, 0 * BODY), "two": (HEAD, BODY), "soft": (0.5 * RAMP, 0.5 * (1 - RAMP))}


def latent(channels: int, seed: int) -> Tensor:
    return torch.randn(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def mixed(model: Any, sources: Any, masks: Any, order: str = "mix first", **more: Any) -> Any:
    words = {"start_percent": 0.0, "end_percent": 1.0, "keep_sources": True, **more}
    (head, body), (head_mask, body_mask) = sources, masks
    return nodes["SemanticMix"].execute(
        model, {"samples": head}, head_mask, {"samples": body}, body_mask, order, **words
    )[0]


class Family:
    def __init__(self, kind: str) -> None:
        self.kind, self.model, self.channels = kind, random_model(kind), FAMILIES[kind].channels
        self.sources, self.other = (latent(self.channels, 1), latent(self.channels, 2)), latent(self.channels, 3)

    def sample(self, model: Any, sampler: str, scheduler: str = "normal", **more: Any) -> Tensor:
        noise = comfy.sample.prepare_noise(self.other, SEED)
        words = [random_conditioning(self.kind, i, tokens=8) for i in (1, 2)]
        return comfy.sample.sample(
            model, noise, STEPS, 2.0, sampler, scheduler, *words, self.other, seed=SEED, disable_pbar=True, **more
        )

    def with_noise_model(self) -> Any:
        clone = self.model.clone()
        draw = torch.Generator().manual_seed(5)
        clone.set_model_unet_function_wrapper(lambda apply, call: torch.randn(call["input"].shape, generator=draw))
        return clone

    def plain(self, masks: Any, sampler: str, order: str) -> Tensor:
        """The host's own sampler around a model into which CompVis' mask branch is written, without any patch."""
        sampling = self.model.get_model_object("model_sampling")
        noise = comfy.sample.prepare_noise(self.other, SEED)
        clean = [self.model.model.process_latent_in(source) for source in self.sources]
        head, body = (mask[:, None] for mask in masks)
        calls = 0
        before = comfy.samplers.CFGGuider.predict_noise

        def predict(guider: Any, x: Tensor, timestep: Tensor, *arguments: Any, **named: Any) -> Tensor:
            nonlocal calls
            if order == "mix first" or calls:
                sigma = timestep.reshape(-1, 1, 1, 1)
                z = [sampling.noise_scaling(sigma, noise, source) for source in clean]
                x.copy_(head * z[0] + body * z[1] + (1 - head - body) * x)
            calls += 1
            return before(guider, x, timestep, *arguments, **named)

        comfy.samplers.CFGGuider.predict_noise = predict
        try:
            result = self.sample(self.model, sampler)
        finally:
            comfy.samplers.CFGGuider.predict_noise = before
        return head * self.sources[0] + body * self.sources[1] + (1 - head - body) * result


def loops(f: Family) -> dict[str, float]:
    """Largest difference from the plain loop, by order, case and sampler."""
    result = {}
    for order in ("mix first", "after the step"):
        for case, masks in CASES.items():
            for sampler in SAMPLERS if f.kind == "sd15" else SAMPLERS[:2]:
                done = f.sample(mixed(f.model, f.sources, masks, order), sampler)
                result[f"{order}, {case}, {sampler}"] = float((done - f.plain(masks, sampler, order)).abs().max())
    return result


def exact(f: Family) -> dict[str, list[bool]]:
    """Whether head and body are the sources bit for bit when the model says noise; and what lies between."""
    result = {}
    for sampler in SAMPLERS:
        done = f.sample(mixed(f.with_noise_model(), f.sources, (HEAD, BODY)), sampler)
        same = [torch.equal(done[..., :3], f.sources[0][..., :3]), torch.equal(done[..., 5:], f.sources[1][..., 5:])]
        result[sampler] = [*same, bool((done[..., 3:5] - f.sources[0][..., 3:5]).abs().min() > 1e-4)]
    return result


def codec(f: Family, folder: Path, portraits: Path) -> dict[str, float]:
    """Two portraits through the small codec, mixed, sampled and decoded; PSNR against the codec's own round trip."""
    import comfy.taesd.taesd
    import numpy as np
    from PIL import Image

    net = comfy.taesd.taesd.TAESD(str(folder / "taesd_encoder.safetensors"), str(folder / "taesd_decoder.safetensors"))
    files = sorted(portraits.glob("*.jpg"))
    pictures = [Image.open(files[i]).convert("RGB").resize((512, 512)).crop((192, 0, 320, 512)) for i in (3, 90)]
    pixels = [torch.from_numpy(np.asarray(p, dtype=np.float32) / 255).permute(2, 0, 1)[None] for p in pictures]
    with torch.no_grad():
        latents = [net.encode(p * 2 - 1) for p in pixels]
        head_mask, body_mask = torch.zeros(1, 512, 128), torch.zeros(1, 512, 128)
        head_mask[:, :240], body_mask[:, 320:] = 1, 1
        noise = comfy.sample.prepare_noise(latents[1], SEED)
        words = [random_conditioning(f.kind, i, tokens=8) for i in (1, 2)]
        done = comfy.sample.sample(
            mixed(f.model, latents, (head_mask, body_mask)), noise, 2, 1.0, "euler", "normal", *words, latents[1],
            seed=SEED, disable_pbar=True,
        )  # fmt: skip
        whole = [(net.decode(z.float()) / 2 + 0.5).clamp(0, 1) for z in (done, *latents)]
    # Inside the eroded masks: the decoder sees about 160 pixels around each one.
    return {
        "head": psnr(whole[0][:, :, :72], whole[1][:, :, :72]),
        "body": psnr(whole[0][:, :, -24:], whole[2][:, :, -24:]),
        "between": psnr(whole[0][:, :, 260:300], whole[1][:, :, 260:300]),
    }  # fmt: skip


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().clamp_min(1e-12).log10())


def refusals(f: Family) -> dict[str, str]:
    tries = {
        "masks": lambda: mixed(f.model, f.sources, (HEAD, BODY[:, :4])),
        "covered": lambda: mixed(f.model, f.sources, (HEAD, 1 - HEAD)),
        "size": lambda: f.sample(mixed(f.model, (f.sources[0][..., :6], f.sources[1]), (HEAD, BODY)), "euler"),
    }
    said = {}
    for name, attempt in tries.items():
        try:
            attempt()
            said[name] = ""
        except ValueError as error:
            said[name] = str(error)
    return said


measured: dict[str, Any] = {}
for kind in ("sd15", "flow"):
    family = Family(kind)
    measured[kind] = {"loops": loops(family), "exact": exact(family)}
    if kind == "sd15":
        measured["refusals"] = refusals(family)
        if len(sys.argv) > 4:
            measured["codec"] = codec(family, Path(sys.argv[3]), Path(sys.argv[4]))
finish(measured)
