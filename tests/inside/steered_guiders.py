"""Measures an IP-Adapter and a FaceX controller under guiders that order their conditionings in another way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from host import ROOT, finish, start

start()
sys.path.append(str(ROOT / "tests"))

import facex_models as facex  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.ip_adapter.regional_attention import Steering  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.host.attention import steer_model  # noqa: E402
from guider_kinds import apart  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402

torch.set_num_threads(1)
BASE = Path(sys.argv[2])


def by_ip_adapter() -> Any:
    file = BASE / "ip-adapter-plus_sd15.safetensors"
    save_file(random_ip_adapter("sd15", "plus", base=32, inner=128, seed=3), file)
    tokens, empty = (facex.draw(1, 9, 1280, seed=seed) for seed in (1, 2))
    half = torch.ones(1, 8, 8)
    half[..., :4] = 0
    steerings = [Steering("left", tokens, empty, 1 - half, 1.0), Steering("right", tokens + 1, empty, half, 0.7)]
    return steer_model(small_unet("sd15"), load_controller(str(file)), steerings, block_weights="")


def by_facex() -> Any:
    held = facex.controller("sd15", BASE, random=True)
    return facex.applied(facex.small_model("sd15"), held, facex.face())


with torch.inference_mode():
    # One text for both prompts, so that the negative's rows differ by what the controller gives them alone.
    words = random_words("sd15", 5)
    latent = facex.draw(1, 4, 8, 8, seed=3)
    models = {"ip-adapter": by_ip_adapter(), "facex": by_facex()}
    finish({name: apart(model, words, words, latent) for name, model in models.items()})
