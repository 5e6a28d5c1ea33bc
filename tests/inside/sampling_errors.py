"""What the sampler says of tiles, which no region fits, under each node that steers an IP-Adapter:

sampling_errors.py HOST BASE PHOTO
"""

from __future__ import annotations

from typing import Any

from host import finish, says, start

nodes = start()

import torch  # noqa: E402
from omni_people import CELLS, IP, model, omni, sample, source, target, words  # noqa: E402

PARTS = ("eyes", "brows", "nose", "mouth", "skin", "left_eye", "right_eye", "left_brow", "right_brow", "hair", "ears",
         "neck", "head")  # fmt: skip


def steered_by_parts() -> Any:
    strengths = {"face": 1.0, **dict.fromkeys(PARTS, 0.0)}
    person = nodes["FaceRepresentationEncode"].execute(source, IP["clip_vision"], 0.25, **strengths)[0]
    people = {"representation0": person}
    return nodes["ControllerApply"].execute(
        model, IP["controller"], 1.0, 0.0, 1.0, 0.05, 0.1, "", target, representations=people
    )[0]


def tiled(model: Any) -> Any:
    """As nodes for tiled sampling do it: the model is called with a quarter of the latent, which fills all of it."""
    clone, half = model.clone(), CELLS // 2

    def quarter(run: Any, given: Any) -> torch.Tensor:
        options = {**given["c"], "c_concat": None}
        return run(given["input"][..., :half, :half], given["timestep"], **options).repeat(1, 1, 2, 2)

    clone.set_model_unet_function_wrapper(quarter)
    return clone


with torch.inference_mode():
    latent = {"samples": torch.zeros(1, 4, CELLS, CELLS)}
    edited = omni("face swap", **IP)
    finish(
        {
            "Face Controller Apply": says(lambda: sample(tiled(steered_by_parts()), *words.values(), latent)),
            "Omni Representation Condition": says(lambda: sample(tiled(edited[0]), *edited[1:4])),
        }
    )
