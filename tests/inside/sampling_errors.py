"""What the sampler says of an area, which no region fits, under each node that steers an IP-Adapter:

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


with torch.inference_mode():
    (text, more), *_ = words["positive"]
    area, latent = [[text, {**more, "area": (8, 8, 0, 0)}]], {"samples": torch.zeros(1, 4, CELLS, CELLS)}
    steered, edited = steered_by_parts(), omni("face swap", positive=area, **IP)
    finish(
        {
            "Face Controller Apply": says(lambda: sample(steered, area, words["negative"], latent)),
            "Omni Representation Condition": says(lambda: sample(*edited[:4])),
        }
    )
