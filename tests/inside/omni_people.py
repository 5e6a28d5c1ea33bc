"""People, a small model and controllers for scripts of OmniRepresentationCondition: `SCRIPT HOST BASE PHOTO`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))
from host import start  # noqa: E402

nodes = start()

import comfy.cldm.cldm  # noqa: E402
import comfy.controlnet  # noqa: E402
import comfy.ops  # noqa: E402
import comfy.sample  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.parser_builtin import BuiltinParser  # noqa: E402
from face_part_fusion.detectors.parser_regions import parsed_where_missing  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.fusion.regions.tasks import REGIONS  # noqa: E402
from face_part_fusion.injection.facex.adapters import Source  # noqa: E402
from face_part_fusion.injection.facex.control import block_channels  # noqa: E402
from face_part_fusion.injection.facex.file import new_controller, save_controller  # noqa: E402
from face_part_fusion.injection.facex.model import FaceXConfig, default_config  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_encoders import random_vae, random_vision  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
BASE, SIDE, STEPS = Path(sys.argv[2]), 160, 2
SETTINGS = {
    "shown": "paste", "fill": "target kept", "dilate": 0.15, "feather": 0, "strength": 1.0, "start": 0.0, "end": 1.0,
    "tone": 0.0,
}  # fmt: skip
CELLS = SIDE // 8
# Nobody's pixels are shown, so that whoever is wired in changes the steering and nothing else.
PAPER = {"shown": "task's own", "fill": "grey"}
UNSEEN = {"shown": "mask out", "fill": "target kept"}
TWO = {"eyes": "source", "lips": "source 2"}


def detected(picture: Image.Image) -> FaceParts:
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
    return nodes["FacePartDetect"].execute(
        image=pixels, detector={"detector": "built-in"}, threshold=0.5, smallest=32, order="large-small", index=0,
        on_missing="keep empty",
    )[0]  # fmt: skip


def in_regions(parts: FaceParts) -> FaceParts:
    """With the regions that the node itself parses for FaceX."""
    return parsed_where_missing(parts, REGIONS, BuiltinParser)


def recoloured(parts: FaceParts) -> FaceParts:
    """Another person with a face of the same shape."""
    return replace(parts, pictures=parts.pictures.flip(-1) * 0.7)


def facex(name: str, config: FaceXConfig, gate: bool = False) -> Any:
    module = new_controller(config)
    if gate:
        torch.manual_seed(4)
        for block in module.control.blocks.values():
            torch.nn.init.normal_(block.zero.weight, std=0.2)
    return load_controller(str(save_controller(module, BASE / f"{name}.safetensors")))


def small(family: str = "sd15", base: int = 32, identity: bool = False, **sources: Source) -> FaceXConfig:
    """A configuration for `small_unet`, its region tokens 16 wide."""
    made = default_config(family, block_channels(base), identity=identity)
    return replace(made, sources={**made.sources, "region": replace(made.sources["region"], width=16), **sources})


def ip_adapter(family: str) -> Any:
    file = BASE / f"ip {family}.safetensors"
    save_file(random_ip_adapter(family, "plus", base=32, inner=128, seed=3), file)
    return load_controller(str(file))


photo = Image.open(sys.argv[3]).convert("RGB").crop((140, 20, 140 + SIDE, 20 + SIDE))
target = detected(photo)
source = detected(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(6))
source_2 = recoloured(detected(photo.rotate(-5)))
nobody = detected(Image.new("RGB", (SIDE, SIDE)))
model, vae = small_unet("sd15"), random_vae(4)
words = {"positive": random_words("sd15", 1), "negative": random_words("sd15", 2)}
vision, vision_l = random_vision(BASE, 1280), random_vision(BASE, 1024)
IP = {"controller": ip_adapter("sd15"), "clip_vision": vision}
NEW = {"controller": facex("new", small()), "clip_vision": vision_l}
TRAINED = {"controller": facex("trained", small(), gate=True), "clip_vision": vision_l}


def omni(task: str, on: Any = None, **more: Any) -> Any:
    regions = {region: more.pop(region, "task's own") for region in REGIONS}
    given = {**SETTINGS, **words, "source": source, "source_2": source_2, **more}
    person, on = given.pop("target", target), on or model
    given = {name: value for name, value in given.items() if value is not None}
    return nodes["OmniRepresentationCondition"].execute(on, vae, person, task, **regions, **given).result


def sample(on: Any, positive: Any, negative: Any, latent: dict[str, Tensor], steps: int = STEPS) -> Tensor:
    samples = latent["samples"]
    noise = comfy.sample.prepare_noise(samples, 5)
    return comfy.sample.sample(
        on, noise, steps, 3.0, "euler", "normal", positive, negative, samples, denoise=0.8, seed=5, disable_pbar=True
    )


def sampled(task: str, on: Any = None, **more: Any) -> Tensor:
    return sample(*omni(task, on, **more)[:4])


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def steerings(made: Any) -> dict[str, Any]:
    slots = made[0].model_options["transformer_options"]["patches_replace"]["attn2"]
    return {s.name: s for s in next(iter(slots.values())).regional.steerings}
