"""Heads of real portraits through a real codec, mixed in every step: `head_swap_codec.py HOST BASE TAESD PORTRAITS`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from host import finish, start

nodes = start()

import comfy.sample  # noqa: E402
import comfy.taesd.taesd  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from random_models import random_conditioning, random_model  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import max_pool2d  # noqa: E402

torch.set_num_threads(1)
# Pairs of portraits, head and body; nobody chose them.
PAIRS = ((3, 90), (200, 120), (40, 150))
# Side of the pictures in pixels, and how far the decoder sees: 10 convolutions at an eighth of the size, 10 at a
# quarter, 10 at a half and 5 at the whole.
SIDE, REACH = 1152, 160
PLACING = {
    "fit": "neck", "hair": "head's", "hat": "head's", "background": "keep", "offset_x": 0.0, "offset_y": 0.0,
    "scale": 1.0, "angle": 0.0,
}  # fmt: skip
models, portraits = Path(sys.argv[3]), sorted(Path(sys.argv[4]).glob("*.jpg"))
net = comfy.taesd.taesd.TAESD(str(models / "taesd_encoder.safetensors"), str(models / "taesd_decoder.safetensors"))


def says_noise() -> Any:
    """A model that says noise, whatever it sees: what comes back exactly, the mix has kept."""
    model, draw = random_model("sd15").clone(), torch.Generator().manual_seed(5)
    model.set_model_unet_function_wrapper(lambda apply, call: torch.randn(call["input"].shape, generator=draw))
    return model


def detected(i: int) -> tuple[Tensor, Any]:
    photo = Image.open(portraits[i]).convert("RGB").resize((SIDE, SIDE))
    picture = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]
    return picture, nodes["FacePartDetect"].execute(
        picture, {"detector": "built-in"}, 0.3, 32, "large-small", 0, "error", None, None, None
    )[0]


def window(mask: Tensor) -> tuple[slice, slice]:
    """Rows and columns about the head, in whole cells, so that no more is encoded than is judged."""
    sides = []
    for axis in (1, 0):
        inside = torch.nonzero((mask[0] > 0).any(axis)).flatten()
        sides.append(slice(int(inside[0]) // 8 * 8, int(inside[-1]) // 8 * 8 + 8))
    return sides[0], sides[1]


def eroded(mask: Tensor, pixels: int) -> Tensor:
    """(H, W) bool: where the mask (1, H, W) is 1 as far as `pixels` around."""
    image = 1 - (mask >= 1).float()
    # What lies beyond the window is the background's.
    image = torch.nn.functional.pad(image[None], (pixels,) * 4, value=1.0)
    wide = max_pool2d(max_pool2d(image, (2 * pixels + 1, 1), 1), (1, 2 * pixels + 1), 1)
    return wide[0, 0] == 0


def psnr(a: Tensor, b: Tensor, where: Tensor) -> float:
    return float(-10 * (a - b).square().mean(1)[0][where].mean().clamp_min(1e-12).log10())


def judged(head_of: int, body_of: int) -> dict[str, float]:
    (_, head), (picture, body) = detected(head_of), detected(body_of)
    outputs = nodes["HeadLayout"].execute(head, body, **PLACING).result
    rows, columns = window(outputs[5])
    head_mask, body_mask = (outputs[i][:, rows, columns] for i in (5, 6))
    # Without spots inside the head at which the parser is unsure, which the mix rightly does not keep whole.
    head_mask = (head_mask > 0.5).float()
    with torch.no_grad():
        heads, bodies = (net.encode(x[:, rows, columns].movedim(-1, 1) * 2 - 1) for x in (outputs[1], picture))
        mixed = nodes["SemanticMix"].execute(
            says_noise(), {"samples": heads}, head_mask, {"samples": bodies}, body_mask * (1 - head_mask), "mix first",
            start_percent=0.0, end_percent=1.0, keep_sources=True,
        )[0]  # fmt: skip
        noise, words = comfy.sample.prepare_noise(bodies, 7), [random_conditioning("sd15", i, tokens=8) for i in (1, 2)]
        done = comfy.sample.sample(mixed, noise, 4, 1.0, "euler", "normal", *words, bodies, seed=7, disable_pbar=True)
        made, trip = ((net.decode(z.float()) / 2 + 0.5).clamp(0, 1) for z in (done, heads))
    inside = eroded(head_mask, REACH)
    return {
        "cells": float(inside.sum()) / 64, "inside": psnr(made, trip, inside),
        "near": psnr(made, trip, eroded(head_mask, 8)), "between": psnr(made, trip, head_mask[0] == 0),
    }  # fmt: skip


finish({f"{head}, {body}": judged(head, body) for head, body in PAIRS})
