"""OmniRepresentationCondition without a controller, on three families: `omni.py HOST BASE PHOTO`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from host import finish, says, start

nodes = start()

import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from random_models import FAMILIES, random_conditioning, random_model  # noqa: E402
from small_encoders import random_vae  # noqa: E402
from small_unets import small_unet  # noqa: E402
from torch import Tensor  # noqa: E402

SIDE = 162
INPAINTING = "inpainting"
DEFAULTS = {
    "fill": "target kept", "dilate": 0.15, "feather": 8, "strength": 1.0, "start": 0.0, "end": 1.0,
}  # fmt: skip
REGIONS = ("eyebrows", "eyes", "nose", "lips", "ears", "skin", "hair", "background")


def prompts(family: str) -> list[Any]:
    return [random_conditioning("sd15" if family == INPAINTING else family, i) for i in (1, 2)]


def omni(family: str, task: str, **more: Any) -> Any:
    regions = dict.fromkeys(REGIONS, "task's own") | {k: more.pop(k) for k in REGIONS if k in more}
    prompt = dict(zip(("positive", "negative"), prompts(family), strict=True))
    given = {"shown": "paste", **DEFAULTS, **prompt, "source": source, **regions, **more}
    given = {name: value for name, value in given.items() if value is not None}
    return nodes["OmniRepresentationCondition"].execute(models[family], vaes[family], target, task, **given)


def sampled(model: Any, positive: Any, negative: Any, latent: dict[str, Tensor], denoise: float) -> Tensor:
    samples = latent["samples"]
    noise = comfy.sample.prepare_noise(samples, 5)
    return comfy.sample.sample(
        model, noise, 3, 3.0, "euler", "normal", positive, negative, samples, denoise=denoise, seed=5
    )


def refusal(task: str, **more: Any) -> str:
    return says(lambda: omni("sd15", task, **more))


photo = Image.open(sys.argv[3]).convert("RGB")
pictures = [photo.crop((140, 20, 140 + SIDE, 20 + SIDE))]
pictures.append(pictures[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(6))
target, source = (
    nodes["FacePartDetect"].execute(
        image=torch.from_numpy(np.asarray(p, dtype=np.float32) / 255)[None], detector={"detector": "built-in"},
        threshold=0.5, smallest=32, order="large-small", index=0, on_missing="error",
    )[0] for p in pictures
)  # fmt: skip
models = {family: random_model(family) for family in ("sd15", "sdxl", "flow")}
vaes = {family: random_vae(FAMILIES[family].channels) for family in models}
with_channels = {INPAINTING: small_unet("sd15", channels=9)}

measured: dict[str, Any] = {}
with torch.inference_mode():
    for family in models:
        model, positive, negative, latent, image, mask, report = omni(family, "face swap").result
        original = vaes[family].encode(target.pictures[:, 1:161, 1:161])
        small = torch.nn.functional.interpolate(mask[:, None], original.shape[-2:], mode="bilinear")
        keep = (small == 0).expand_as(original)
        one = sampled(model, positive, negative, latent, 0.6)
        measured[family] = {
            "shapes": [list(image.shape), list(mask.shape), list(latent["samples"].shape)],
            "outside": float((one - original)[keep].abs().max()),
            "kept": float(keep.float().mean()),
            "inside": float((one - original)[~keep].abs().mean()),
            "pasted": float(((image - target.pictures[:, 1:161, 1:161]).abs().amax(-1)[mask > 0.99]).mean()),
            "untouched": float(((image - target.pictures[:, 1:161, 1:161]).abs().amax(-1)[mask == 0]).max()),
            "start": float((latent["samples"] - vaes[family].encode(image)).abs().max()),
            "conditioned": sorted(set(positive[0][1]) & {"concat_latent_image", "concat_mask"}),
            "report": report,
            "parent": not models[family].wrappers.get("outer_sample"),
        }
    models, vaes = models | with_channels, vaes | {INPAINTING: vaes["sd15"]}
    model, *wired, latent, _, _, _ = omni(INPAINTING, "face swap").result
    through, past = (sampled(model, *words, latent, 0.6) for words in (wired, prompts(INPAINTING)))
    without = sampled(models[INPAINTING], *prompts(INPAINTING), latent, 0.6)
    measured["prompts past the node"] = {
        "apart": float((through - past).abs().max()), "counts": float((through - without).abs().max()),
    }  # fmt: skip
    edit = omni("sd15", "attribute edit", lips="source", nose="anew").result
    head = omni("sd15", "head swap").result
    measured["head swap"] = {"report": head[6], "area": float(head[5].mean()), "face": float(mask.mean())}
    measured["attribute edit"] = {"report": edit[6], "area": float(edit[5].mean())}
    free = torch.zeros(1, SIDE, SIDE)
    free[:, 60:110, 60:110] = 1
    inpaint = omni("sd15", "inpaint", mask=free, source=None, feather=0, fill="grey").result
    measured["inpaint"] = {"area": float(inpaint[5].sum())}
    measured["refusals"] = {
        "reenact": refusal("reenact"),
        "prompt": refusal("face swap", positive=None),
        "nobody": refusal("face swap", source=None),
        "encoder": refusal("face swap", controller=SimpleNamespace(self_sufficient=False)),
    }
finish(measured)
