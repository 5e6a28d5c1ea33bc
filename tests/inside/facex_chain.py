"""Several people's edits by FaceX's controller in a real host, mixed in one node and chained: `... HOST BASE PHOTO`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from host import ROOT, finish, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.sample  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts, Region  # noqa: E402
from face_part_fusion.fusion.regions.tasks import REGIONS  # noqa: E402
from face_part_fusion.injection.facex.adapters import SOURCES  # noqa: E402
from face_part_fusion.injection.facex.control import block_channels  # noqa: E402
from face_part_fusion.injection.facex.model import default_config  # noqa: E402
from facex_models import controller_of, gap  # noqa: E402
from PIL import Image  # noqa: E402
from small_encoders import random_vae, random_vision  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.network_weights import IRESNETS, filled, iresnet_shapes  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(1)
# 16 cells of the latent: halves of the picture are whole cells of every level.
BASE, SIDE, CELLS = Path(sys.argv[2]), 128, 16
OWN = "task's own"
SETTINGS = {
    "fill": "target kept", "dilate": 0.05, "feather": 0, "strength": 1.0, "start": 0.0, "end": 1.0, "tone": 0.0,
}  # fmt: skip
PEOPLE = ("target", "source", "source_2", "source_3")
# Identity and face of the source, hair of a second, the eyes with their glasses of a third; motion of the target.
MIXED = {"hair": "source 2", "eyes": "source 3"}


def person(photo: Image.Image, colours: tuple[int, ...] = (0, 1, 2)) -> FaceParts:
    """The face that is found in a photograph, with painted hair above it; `colours` make another person of it."""
    pixels = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]
    parts = nodes["FacePartDetect"].execute(
        image=pixels, detector={"detector": "built-in"}, threshold=0.5, smallest=32, order="large-small", index=0,
        on_missing="error",
    )[0]  # fmt: skip
    face, hair = parts.faces[0][0], torch.zeros(SIDE, SIDE)
    left, top, right, _ = (int(edge) for edge in face.regions["skin"].box())
    hair[max(0, top - 20) : top + 6, left:right] = 1
    face = replace(face, regions={**face.regions, "hair": Region(mask=hair)})
    return replace(parts, pictures=parts.pictures[..., list(colours)], faces=((face,),))


def darker(parts: FaceParts) -> FaceParts:
    """Somebody else, whose face has the same shape and motion."""
    return replace(parts, pictures=parts.pictures.flip(-1) * 0.6)


photo = Image.open(sys.argv[3]).convert("RGB").crop((150, 15, 150 + SIDE + 32, 15 + SIDE + 32)).resize((SIDE, SIDE))
people = dict(zip(PEOPLE, (
    person(photo), person(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (1, 2, 0)), person(photo.rotate(5)),
    person(photo.rotate(-6), (2, 0, 1)),
), strict=True))  # fmt: skip
model, vae, vision = small_unet("sd15"), random_vae(4), random_vision(BASE, 1024)


def controller() -> Any:
    """With identity tokens, from arcface_torch's weights in the host's folder."""
    folder = BASE / "models" / "insightface" / "models" / "arcface"
    folder.mkdir(parents=True)
    torch.save(filled(iresnet_shapes(IRESNETS["r18"], 8)), folder / "backbone.pth")
    config = default_config("sd15", block_channels(32))
    return controller_of(replace(config, sources={**config.sources, "region": replace(SOURCES["region"], width=16)}),
                         BASE, True)  # fmt: skip


HELD = controller()


def omni(task: str, chosen: dict[str, str], given: dict[str, FaceParts], **more: Any) -> Any:
    regions = {region: chosen.get(region, OWN) for region in REGIONS}
    target, rest = given["target"], {name: parts for name, parts in given.items() if name != "target"}
    options = {**SETTINGS, "shown": "mask out", "controller": HELD, "clip_vision": vision, **more}
    return nodes["OmniRepresentationCondition"].execute(model, vae, target, task, **regions, **rest, **options).result


def sample(made: Any) -> Tensor:
    on, positive, negative, latent = made[:4]
    samples = latent["samples"]
    noise = comfy.sample.prepare_noise(samples, 5)
    return comfy.sample.sample(
        on, noise, 1, 3.0, "euler", "normal", positive, negative, samples, denoise=0.8, seed=5, disable_pbar=True
    )


def names_of(before: Tensor, after: Tensor) -> list[str]:
    """The representations, and of the regions which, whose tokens are not the same to the last bit."""
    each = [REGIONS if name == "region" else (name,) * s.tokens for name, s in SOURCES.items()]
    named = [name for names in each for name in names]
    moved = (before != after).any(-1)[0].tolist()
    return sorted({name for name, changed in zip(named, moved, strict=True) if changed})


def mixed() -> dict[str, Any]:
    """One node, four people: whose change reaches which tokens; and the same edit with the wires in another order."""
    made = omni("face swap", MIXED, people)
    tokens, done = made[1][0][0], sample(made)
    changed = {
        name: names_of(tokens, omni("face swap", MIXED, {**people, name: darker(people[name])})[1][0][0])
        for name in PEOPLE
    }
    face = people["target"].faces[0][0]
    turned = replace(people["target"], faces=((replace(face, angles=(30.0, 5.0, 0.0)),),))
    changed["the target's pose"] = names_of(tokens, omni("face swap", MIXED, {**people, "target": turned})[1][0][0])
    swapped = {**people, "source_2": people["source_3"], "source_3": people["source_2"]}
    again = omni("face swap", {"hair": "source 3", "eyes": "source 2"}, swapped)
    other = omni("face swap", MIXED, swapped)
    return {
        "changed": changed, "shape": list(tokens.shape), "report": made[6],
        "order of wires": max(gap(again[1][0][0], tokens), gap(sample(again), done)),
        "other wires": gap(other[1][0][0], tokens), "acts": gap(sample(other), done),
        "finite": bool(done.isfinite().all()),
    }  # fmt: skip


def apply(on: Any, who: Any, mask: Tensor | None, strength: float = 1.0) -> Any:
    return nodes["ControllerApply"].execute(
        on, HELD, strength, 0.0, 1.0, 0.05, 0.1, "", None, mask, {"representation0": who}
    )[0]


def plainly(on: Any) -> Tensor:
    latent = {"samples": vae.encode(people["target"].pictures)}
    return sample((on, random_words("sd15", 1), random_words("sd15", 2), latent))


def first_block(on: Any) -> Tensor:
    """(cells,): what leaves the first transformer block, of every cell."""
    caught: list[Tensor] = []
    block = model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0]
    handle = block.register_forward_hook(lambda _, __, out: caught.append(out.clone()))
    try:
        plainly(on)
    finally:
        handle.remove()
    return caught[0]


def halves() -> dict[str, float]:
    """One Face Controller Apply behind another, each person in a half of the picture."""
    left = torch.zeros(1, SIDE, SIDE)
    left[..., : SIDE // 2] = 1
    encode = nodes["FaceRepresentationEncode"].execute
    one, other, third = (encode(people[name], vision, 0.25, HELD)[0] for name in PEOPLE[1:])
    pair = apply(apply(model, one, left), other, 1 - left)
    done, alone = plainly(pair), plainly(apply(model, one, left))
    same = apply(apply(model, one, left), one, 1 - left)
    change = (first_block(apply(apply(model, one, left), third, 1 - left)) - first_block(pair)).abs().amax((0, 2))
    right = F.interpolate(1 - left[None], (CELLS, CELLS), mode="area").flatten() > 0
    return {
        "order": gap(plainly(apply(apply(model, other, 1 - left), one, left)), done),
        "second acts": gap(done, alone), "first acts": gap(done, plainly(apply(model, other, 1 - left))),
        "second off": gap(plainly(apply(apply(model, one, left), other, 1 - left, 0.0)), alone),
        "one person in two halves": gap(plainly(same), plainly(apply(model, one, None))),
        "outside": float(change[~right].max()), "inside": float(change[right].min()),
        "model afterwards": gap(plainly(model), PLAIN),
    }  # fmt: skip


def in_turn() -> dict[str, Any]:
    """Identity, then motion, then hair, then eyes: each edit is made on the picture of the one before."""
    edits = {
        "identity": ("face swap", {}, "source"), "motion": ("animate", {}, "source_2"),
        "hair": ("attribute edit", {"hair": "source"}, "source_2"),
        "eyes": ("attribute edit", {"eyes": "source"}, "source_3"),
    }  # fmt: skip
    now, found = people["target"], {}
    for name, (task, chosen, giver) in edits.items():
        # The picture so far is what is animated; the other person leads.
        pair = (people[giver], now) if name == "motion" else (now, people[giver])
        made = omni(task, chosen, dict(zip(PEOPLE, pair, strict=False)))
        done, before = sample(made), vae.encode(now.pictures)
        black = (F.interpolate(made[5][:, None], (CELLS, CELLS), mode="bilinear") == 0).expand_as(done)
        changed = (done - before).abs()
        found[name] = {
            "cells": int(black[0, 0].sum()), "kept": float((changed * black).max()),
            "changed": float((changed * ~black).max()),
        }  # fmt: skip
        now = replace(now, pictures=vae.decode(done).clamp(0, 1))
    return found


with torch.inference_mode():
    PLAIN = plainly(model)
    finish({"mixed": mixed(), "halves": halves(), "in turn": in_turn()})
