"""Runs Face Person and Person Latents in a real host: `face_people.py HOST BASE PHOTO`."""

from __future__ import annotations

import sys
from typing import Any

from host import ROOT, finish, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from PIL import Image  # noqa: E402
from small_encoders import random_vae  # noqa: E402
from small_unets import random_words  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
GOOD = {
    "crop": "upright", "padding": 0.5, "size": 192, "strength": 1.0, "look_at": {"look_at": "head"}, "face": 0,
    "grow": 0.35, "feather": 0.2,
}  # fmt: skip


def photograph() -> Tensor:
    photo = Image.open(sys.argv[3]).convert("RGB").crop((100, 0, 356, 256))
    return torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]


def person(*photographs: Tensor, **more: Any) -> tuple[Any, Tensor, Tensor]:
    wired = {f"photograph{i}": each for i, each in enumerate(photographs)}
    return tuple(nodes["FacePerson"].execute(photographs=wired, **GOOD | more).args)


def side_by_side(photo: Tensor) -> Tensor:
    """Two people; the one on the right is smaller."""
    small = torch.nn.functional.interpolate(photo.movedim(-1, 1), scale_factor=0.6, mode="bilinear").movedim(1, -1)
    page = torch.zeros(1, 256, 512, 3)
    page[:, :, :256], page[:, 50 : 50 + small.shape[1], 300 : 300 + small.shape[2]] = photo, small
    return page


def shares(view: Tensor | None, size: int) -> float:
    return 1.0 if view is None else float(view.mean())


def face_person(photo: Tensor) -> dict[str, Any]:
    one, shown, region = person(photo)
    mixed, _, _ = person(photo, torch.cat([photo, photo.flip(2)]))
    whole, _, _ = person(photo, crop="whole picture", look_at={"look_at": "all"})
    no_face, _, _ = person(torch.rand(1, 90, 130, 3), crop="whole picture", look_at={"look_at": "all"})
    eyes, _, _ = person(photo, look_at={"look_at": "parts", "eyes": True})
    layout = side_by_side(photo)
    places = [person(photo, layout=layout, face=number)[2] for number in (0, 1)]
    middles = [float((place[0].sum(0) * torch.arange(512)).sum() / place.sum()) for place in places]
    (face,) = BuiltinDetector()(one.pictures[0], 0.5, 32)[0]
    x0, y0, x1, y1 = face.box
    return {
        "sizes": [list(p.shape) for p in (*mixed.pictures, *whole.pictures, *no_face.pictures)],
        "shown": list(shown.shape), "everywhere": list(region.shape), "middle": [(x0 + x1) / 2, (y0 + y1) / 2],
        "looked at": {"head": float(one.views[0].mean()), "eyes": float(eyes.views[0].mean()),
                      "all": whole.views[0] is None},
        "middles": middles, "places": [list(place.shape) for place in places],
        "overlap": float((places[0] * places[1]).max()),
    }  # fmt: skip


class Clip:
    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> Any:
        self.text = tokens
        return random_words("sd15", 1)


def person_latents(photo: Tensor) -> dict[str, Any]:
    first, second = person(photo)[0], person(photo.flip(2), photo)[0]
    clip, vae = Clip(), random_vae(16)
    conditioning, text, pictures = (
        nodes["PersonLatents"]
        .execute(clip=clip, vae=vae, prompt="They laugh.", persons={"person0": first, "person1": second})
        .args
    )
    latents = conditioning[0][1]["reference_latents"]
    expected = [vae.encode(picture) for picture in (*first.pictures, *second.pictures)]
    return {
        "text": text, "encoded": clip.text == text, "pictures": list(pictures.shape),
        "latents": [float((a - b).abs().max()) for a, b in zip(latents, expected, strict=True)],
        "apart": float((expected[0] - expected[1]).abs().max()),
    }  # fmt: skip


with torch.inference_mode():
    finish({"person": face_person(photograph()), "latents": person_latents(photograph())})
