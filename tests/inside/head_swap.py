"""Head Layout, Layout Complete and Head Swap in a real host: `head_swap.py HOST BASE PHOTO`."""

from __future__ import annotations

import sys
from typing import Any

from host import finish, start

nodes = start()

import comfy.sample  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.taesd.taesd  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from comfy_execution.graph_utils import ExecutionBlocker  # noqa: E402
from PIL import Image  # noqa: E402
from random_models import random_conditioning, random_model  # noqa: E402
from small_unets import small_unet  # noqa: E402

torch.set_num_threads(1)
PLACING = {
    "fit": "neck", "hair": "head's", "hat": "head's", "background": "keep", "offset_x": 0.0, "offset_y": 0.0,
    "scale": 1.0, "angle": 0.0,
}  # fmt: skip
SWAP = PLACING | {"tone": "neck follows face", "crop_size": 0}


def random_vae() -> Any:
    net = comfy.taesd.taesd.TAESD(latent_channels=4)
    draw = torch.Generator().manual_seed(0)
    return comfy.sd.VAE(sd={k: torch.randn(v.shape, generator=draw) / max(1, v[0].numel() if v.ndim else 1) ** 0.5
                            for k, v in net.state_dict().items() if k.startswith("taesd_")})  # fmt: skip


def detected(picture: torch.Tensor, on_missing: str = "error") -> Any:
    return nodes["FacePartDetect"].execute(
        picture, {"detector": "built-in"}, 0.3, 32, "large-small", 0, on_missing, None, None, None
    )[0]


def refused(call: Any) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def sample(model: Any, positive: Any, negative: Any) -> torch.Tensor:
    return comfy.sample.sample(
        model, noise, 2, 1.0, "euler", "normal", positive, negative, start_latent, seed=1, disable_pbar=True
    )


def inpainting(family: str) -> dict[str, float]:
    """An inpainting model, whose UNet takes the mask and what it hides as further channels."""
    words = [random_conditioning(family, i, tokens=8) for i in (1, 2)]
    given = {"model": small_unet(family, channels=9), "vae": vae, "positive": words[0], "negative": words[1]}
    swap = nodes["HeadSwap"].execute(head, body, **(SWAP | {"crop_size": 128}), **given).result
    through, past = sample(*swap[2:5]), sample(swap[2], *words)
    own, without = sample(given["model"], *swap[3:5]), sample(given["model"], *words)
    return {
        "head": float((through - sources[0])[..., cells[0]].abs().max()),
        "prompts past the node": float((through - past).abs().max()),
        "counts": float((own - without).abs().max()),
    }


photo = Image.open(sys.argv[3]).convert("RGB").crop((100, 0, 356, 256))
picture = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]
body, head = detected(picture), detected(picture.flip(2) * torch.tensor([0.9, 0.8, 0.75]))
nobody = detected(torch.zeros(1, 64, 64, 3), "keep empty")

layout = nodes["HeadLayout"].execute(head, body, **PLACING).result
full = nodes["LayoutComplete"].execute(layout[0]).result
plain = nodes["HeadSwap"].execute(head, body, **SWAP).result

vae, model = random_vae(), random_model("sd15")
words = [random_conditioning("sd15", i, tokens=8) for i in (1, 2)]
given = {"model": model, "vae": vae, "positive": words[0], "negative": words[1]}
made = nodes["HeadSwap"].execute(head, body, **(SWAP | {"crop_size": 128}), **given).result
start_latent = made[5]["samples"]
noise = comfy.sample.prepare_noise(start_latent, 1)
sampled = sample(*made[2:5])
pair = made[7].pairs[0]
masks = [mask[0] for mask in made[7].masks()]
cells = [torch.nn.functional.interpolate(m[None, None], (16, 16), mode="bilinear")[0, 0] == 1 for m in masks]
sources = [vae.encode(each[None]) for each in (pair.head, pair.body)]
returned = nodes["FPFFacePasteBack"].execute(pair.body[None], made[8], 16)[0]
finish(
    {
        "outputs": len(layout),
        "sum of masks": float((layout[5] + layout[6] + layout[7] - 1).abs().max()),
        "neck before": bool((full[1] * 255).round().eq(torch.tensor([128.0, 128.0, 255.0])).all(-1).any()),
        "plain": list(plain[0].shape),
        "changed": float(plain[1].gt(0).float().mean()),
        "outside": float(((plain[0] - picture).abs().amax(-1) * (plain[1] == 0)).max()),
        "blocked": [isinstance(each, ExecutionBlocker) for each in plain[2:6]],
        "message": plain[2].message,
        "report": plain[9],
        "crop": list(made[6].shape),
        "whole": list(made[0].shape),
        "whole outside": float(((made[0] - picture).abs().amax(-1) * (made[1] == 0)).max()),
        "latent": list(start_latent.shape),
        "concat": list(made[3][0][1]["concat_latent_image"].shape),
        "head cells": [int(cells[0].sum()), float((sampled - sources[0])[..., cells[0]].abs().max())],
        "body cells": [int(cells[1].sum()), float((sampled - sources[1])[..., cells[1]].abs().max())],
        "inpainting": {family: inpainting(family) for family in ("sd15", "sdxl")},
        "returned": float((returned - picture).abs().max()),
        "half wired": refused(lambda: nodes["HeadSwap"].execute(head, body, **SWAP, model=model)),
        "no face": refused(lambda: nodes["HeadSwap"].execute(nobody, body, **SWAP)),
    }
)  # fmt: skip
