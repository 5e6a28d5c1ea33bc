"""A head layout diffusion model in a real host, against the pack's own sampling: `layout_diffusion.py HOST BASE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host import finish, says, start

nodes = start()

import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import folder_paths  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.hs_diffusion.codec import Codec, CodecShape  # noqa: E402
from face_part_fusion.injection.hs_diffusion.file import DiffusionConfig, metadata_of, save_diffusion  # noqa: E402
from face_part_fusion.injection.hs_diffusion.layout_unet import LayoutUNet, UNetShape  # noqa: E402
from face_part_fusion.injection.hs_diffusion.sampling import noise_levels, sample  # noqa: E402
from face_part_fusion.injection.sampling.masked_fusion import make_mix  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

torch.set_num_threads(1)
STEPS, SEED, H, W = 4, 3, 40, 32
KEY = "face_part_fusion_head_layout"

torch.manual_seed(0)
config = DiffusionConfig(
    UNetShape((16, 16, 24), (False, True, True), 1, 8, 8), CodecShape((8, 16, 16), 1, 8, 3, 32), 1.7
)
unet, codec = LayoutUNet(config.unet).eval(), Codec(config.codec).eval()
folder = Path(folder_paths.get_folder_paths("head_layout_diffusion")[0])
save_diffusion(config, unet.state_dict(), codec.state_dict(), folder / "small.safetensors")
weights = load_file(folder / "small.safetensors")
short = {key: value for key, value in weights.items() if key != "model.layout_encoder.weight"}
save_file(short, folder / "short.safetensors", metadata_of(config))
save_file(weights, folder / "damaged.safetensors", {**metadata_of(config), "scale": "none"})
save_file(weights, folder / "other.safetensors")


def load(name: str) -> Any:
    return nodes["HeadLayoutDiffusionLoader"].execute(f"{name}.safetensors").args


model, vae = load("small")
areas = torch.rand(2, 5, H, W).softmax(1)
conditioning = [[torch.zeros(1, 1, 1), {KEY: areas}]]
pictures = torch.rand(2, H, W, 3)
latents = vae.encode(pictures)
head, body = torch.zeros(1, H, W), torch.zeros(1, H, W)
head[:, : H // 2 - 4], body[:, H // 2 + 4 :] = 1, 1


def sampled(model: Any, conditioning: Any, latent: torch.Tensor, seed: int = SEED) -> torch.Tensor:
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    return comfy.sample.sample_custom(
        model, noise, 1.0, comfy.samplers.sampler_object("euler"), noise_levels(STEPS), conditioning, conditioning,
        torch.zeros_like(latent), disable_pbar=True, seed=seed,
    )  # fmt: skip


def gap(latent: torch.Tensor, layers: Any = ()) -> float:
    with torch.no_grad():
        expected = sample(unet, codec, config, areas, layers, steps=STEPS, seed=SEED)
        return float((codec.decode(latent).clamp(-1, 1) - expected).abs().max())


plain = sampled(model, conditioning, latents)
other = sampled(model, [[torch.zeros(1, 1, 1), {KEY: areas.flip(1)}]], latents)
mixed = nodes["SemanticMix"].execute(
    model, {"samples": latents}, head, {"samples": latents.flip(0)}, body, "mix first", start_percent=0.0,
    end_percent=1.0, keep_sources=True,
).args[0]  # fmt: skip
kept = sampled(mixed, conditioning, latents)
layers = make_mix([(latents, head), (latents.flip(0), body)], "mix first", 0.0, 1.0, True)
with torch.no_grad():
    own = codec.encode(pictures.permute(0, 3, 1, 2) * 2 - 1), codec.decode(latents).clamp(-1, 1) / 2 + 0.5
words = [[torch.zeros(1, 1, 1), {}]], [[torch.zeros(1, 1, 1), {KEY: areas[..., :-4]}]]
finish({
    "encode": float((latents - own[0]).abs().max()),
    "decode": float((vae.decode(latents).permute(0, 3, 1, 2) - own[1]).abs().max()),
    "plain": gap(plain),
    "other layout": float((other - plain).abs().max()),
    "mixed": gap(kept, layers),
    "head": torch.equal(kept[:, :, :3], latents[:, :, :3]),
    "body": torch.equal(kept[:, :, 7:], latents.flip(0)[:, :, 7:]),
    "between": float((kept[:, :, 4:6] - latents[:, :, 4:6]).abs().min()),
    "no layout": says(lambda: sampled(model, words[0], latents)),
    "size": says(lambda: sampled(model, words[1], latents)),
    "count": says(lambda: sampled(model, conditioning, latents[[0, 0, 1]])),
    "short": says(lambda: load("short")),
    "damaged": says(lambda: load("damaged")),
    "other": says(lambda: load("other")),
    "nothing": says(lambda: load("nothing")),
})  # fmt: skip
