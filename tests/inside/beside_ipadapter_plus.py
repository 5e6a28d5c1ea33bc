"""Ours and IPAdapter-plus's own node on one model, random weights: `beside_ipadapter_plus.py HOST BASE FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from host import ROOT, finish, start

start()
sys.path.extend([str(ROOT / "tests"), str(ROOT / "benchmarks")])

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.ip_adapter.regional_attention import Steering  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.host.attention import steer_model  # noqa: E402
from ipadapter_plus import IPAdapterPlus  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
BASE, FOLDER, SIDE, PIXELS = Path(sys.argv[2]), Path(sys.argv[3]), 16, 128
FILES = {
    "sd15 plus": "ip-adapter-plus_sd15", "sd15 full face": "ip-adapter-full-face_sd15",
    "sdxl plus": "ip-adapter-plus_sdxl_vit-h",
}  # fmt: skip


def drawn(seed: int) -> Tensor:
    return torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(seed))


def output(model: Any, family: str) -> Tensor:
    """What the UNet gives in the first step, all rows."""
    caught: list[Tensor] = []
    handle = model.model.diffusion_model.out.register_forward_hook(lambda _, given, made: caught.append(made.clone()))
    latent, words = torch.zeros(1, 4, SIDE, SIDE), [random_words(family, seed) for seed in (1, 2)]
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(3))
    comfy.sample.sample(model, noise, 1, 3.0, "euler", "normal", *words, latent, seed=1, disable_pbar=True)
    handle.remove()
    return caught[0]


def compared(name: str) -> dict[str, Any]:
    """The largest differences, in standard deviations of the unpatched output."""
    family, _, variant = name.partition(" ")
    model, file = small_unet(family), BASE / f"{FILES[name]}.safetensors"
    save_file(random_ip_adapter(family, variant, base=32, seed=3), file)
    controller, theirs, empty = load_controller(str(file)), IPAdapterPlus(FOLDER, file), drawn(0)
    # Half the picture lies on whole cells of every grid, so that how a mask is resized makes no difference.
    everywhere, half = torch.ones(1, PIXELS, PIXELS), torch.zeros(1, PIXELS, PIXELS)
    half[:, :, PIXELS // 2 :] = 1
    plain, found = output(model, family), {}
    for where, areas in (("everywhere", [everywhere]), ("one half", [half]), ("both halves", [half, 1 - half])):
        steerings = [Steering(f"part {i}", drawn(i), empty, area, 1.0) for i, area in enumerate(areas, 1)]
        # Their middle block never fires.
        ours = output(steer_model(model, controller, steerings, block_weights="middle = 0"), family)
        known = output(theirs(model, [(drawn(i), area) for i, area in enumerate(areas, 1)], empty), family)
        found[where] = {
            "apart": float((ours - known).abs().max() / plain.std()),
            "acts": float((ours - plain).abs().max() / plain.std()),
        }  # fmt: skip
    return found


with torch.inference_mode():
    finish({name: compared(name) for name in FILES})
