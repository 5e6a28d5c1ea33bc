"""The model files that templates name, and the nodes that load, prompt and sample them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs import Node

HUGGING_FACE = "https://huggingface.co"
PARTS = ("eyes", "nose", "mouth")
PROMPT = "photograph of a face, natural skin, sharp focus"
NEGATIVE = "painting, blurry, deformed"


def file(name: str, directory: str, place: str) -> Mapping[str, str]:
    return {"name": name, "url": f"{HUGGING_FACE}/{place}", "directory": directory}


VISION = file(
    "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors", "clip_vision",
    "h94/IP-Adapter/resolve/main/models/image_encoder/model.safetensors",
)  # fmt: skip
FAP = file("fap.bin", "fuse_any_part", "Thomas-Tom/FuseAnyPart/resolve/main/fap.bin")
IP_ADAPTER = file(
    "ip-adapter-plus-face_sd15.safetensors", "ipadapter",
    "h94/IP-Adapter/resolve/main/models/ip-adapter-plus-face_sd15.safetensors",
)  # fmt: skip
SD15 = file(
    "v1-5-pruned-emaonly-fp16.safetensors", "checkpoints",
    "Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors",
)  # fmt: skip
SDXL = file(
    "sd_xl_base_1.0.safetensors", "checkpoints",
    "stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
)  # fmt: skip
SD35 = file(
    "sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors", "checkpoints",
    "Comfy-Org/stable-diffusion-3.5-fp8/resolve/main/sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors",
)  # fmt: skip


def where(*files: Mapping[str, str]) -> str:
    """The lines of a note that say which file goes where."""
    return "".join(f"* `{f['name']}` into `models/{f['directory']}`\n" for f in files)


def checkpoint(of: Mapping[str, str], title: str = "") -> Node:
    return Node("CheckpointLoaderSimple", {"ckpt_name": of["name"]}, title, [of])


def vision(bypassed: bool = False) -> Node:
    return Node("CLIPVisionLoader", {"clip_name": VISION["name"]}, "", [VISION], bypassed)


def controller(bypassed: bool = False) -> Node:
    return Node("ControllerLoad", {"controller_name": IP_ADAPTER["name"]}, "", [IP_ADAPTER], bypassed)


def prompts(clip: tuple[str, int]) -> dict[str, Node]:
    return {
        "positive": Node("CLIPTextEncode", {"clip": clip, "text": PROMPT}, "Prompt"),
        "negative": Node("CLIPTextEncode", {"clip": clip, "text": NEGATIVE}, "Negative prompt"),
    }


def crop(parts: str, size: int, title: str = "", **settings: Any) -> Node:
    return Node("FaceCropAlign", {"parts": (parts, 0), "size": size, **settings}, title)


def sampler(model: tuple[str, int], words: str | None, latent: tuple[str, int], **settings: Any) -> Node:
    """`words`: the node whose outputs 1 and 2 are the conditioning; without one, the prompts themselves."""
    both = {"positive": (words, 1), "negative": (words, 2)} if words else {
        "positive": ("positive", 0), "negative": ("negative", 0)
    }  # fmt: skip
    return Node("KSampler", {"model": model, **both, "latent_image": latent, "seed": 1, **settings})


def only(part: str) -> dict[str, float]:
    """Strengths of Part Encode and Face Representation Encode for one part."""
    return {p: float(p == part) for p in PARTS}


def roles(step: str) -> list[str]:
    return [f"{step} {role}".strip() for role in ("target", *PARTS)]
