"""The templates of FuseAnyPart, as data; tools/graphs.py says what a Node and a Graph are."""

from __future__ import annotations

from collections.abc import Mapping

from graphs import CHOOSE, CONSENT, Blueprint, Graph, Node, four_people, saved
from model_files import FAP, PARTS, SD15, VISION, checkpoint, crop, only, prompts, roles, sampler, vision, where


def encoded(mode: str, parts: Mapping[str, str]) -> dict[str, Node]:
    """A Part Encode for the target and for each giver; `parts`: role -> the node whose faces are encoded."""
    said = {"target": "Encode the target without these parts"} | {p: f"Encode the {p}" for p in PARTS}
    outputs = {role: 1 if node.startswith("crop") else 0 for role, node in parts.items()}
    return {
        f"encode {role}": Node("PartEncode", {
            "parts": (node, outputs[role]), "clip_vision": ("vision", 0), "mode": mode,
            "role": "target" if role == "target" else "reference",
            **(dict.fromkeys(PARTS, 1.0) if role == "target" else only(role)),
        }, said[role])
        for role, node in parts.items()
    }  # fmt: skip


def mask_fuse() -> Node:
    references = {f"references.reference{i}": (f"encode {part}", 0) for i, part in enumerate(PARTS)}
    return Node("MaskFuse", {"target": ("encode target", 0), **references})


FUSE_RELEASED = Graph(
    note="## FuseAnyPart as it was published\n\n" + CHOOSE +
    "Eyes, nose and mouth of three people through FuseAnyPart, computed as in the paper: text has no effect, and the "
    "result is the square face crop.\n\n"
    "Files:\n\n" + where(FAP, VISION, SD15) + "\n"
    "Of the checkpoint only the VAE is used; any SD1.5 one will do.\n\n"
    "1. Choose the target and the three people in **Load Image**.\n"
    "2. Press **Run**. *origin* of **Mask Fuse** shows which cell came from whom.\n\n"
    "For your own prompt, other parts and the whole photograph take the *practical* template.\n\n" + CONSENT,
    columns=[
        roles(""), roles("find"), ["vision", *roles("crop")], roles("encode"), ["fuse", "fap", "checkpoint"],
        ["see origin", "inject"], ["sampling"], ["sample"], ["decode"], ["save"],
    ],
    nodes=four_people() | {
        f"crop {role}": crop(f"find {role}", 512, align="FFHQ") for role in ("target", *PARTS)
    } | {
        "vision": vision(),
        **encoded("released", {role: f"crop {role}" for role in ("target", *PARTS)}),
        "fuse": mask_fuse(),
        "see origin": Node("PreviewImage", {"images": ("fuse", 1)}, "Who gives which cell"),
        "fap": Node("FuseAnyPartLoader", {"weights": FAP["name"]}, "", [FAP]),
        "checkpoint": checkpoint(SD15, "Any SD1.5 checkpoint, for its VAE"),
        "inject": Node("AdditionInject", {
            "model": ("fap", 0), "adapter": ("fap", 1), "fused": ("fuse", 0), "vae": ("checkpoint", 2), "seed": 1,
        }),
        "sampling": Node("FuseAnyPartSampling", {"model": ("inject", 0), "steps": 50}),
        "sample": Node("SamplerCustom", {
            "model": ("inject", 0), "positive": ("inject", 1), "negative": ("inject", 2),
            "sampler": ("sampling", 0), "sigmas": ("sampling", 1), "latent_image": ("inject", 3),
            "add_noise": True, "noise_seed": 1, "cfg": 7.5,
        }),
        "decode": Node("VAEDecode", {"samples": ("sample", 0), "vae": ("checkpoint", 2)}),
        "save": saved(("decode", 0), "face_parts_released"),
    },
    blueprint=Blueprint(
        "Eyes, Nose, Mouth by FuseAnyPart",
        "Fuses the eyes, nose and mouth of three people into the target's face with FuseAnyPart, as it was published.",
        [
            ("fap", "weights"), ("vision", "clip_name"), ("checkpoint", "ckpt_name"), ("inject", "strength"),
            ("sampling", "steps"), ("sample", "cfg"), ("sample", "noise_seed"),
        ],
    ),
)  # fmt: skip

FUSE_PRACTICAL = Graph(
    note="## FuseAnyPart with a prompt and a LoRA\n\n" + CHOOSE +
    "Eyes, nose and mouth of three people through FuseAnyPart; prompt and LoRA count, and the face goes back into the "
    "whole photograph.\n\n"
    "Files:\n\n" + where(FAP, VISION, SD15) + "\n"
    "1. Choose the target and the three people.\n"
    "2. Write the prompt, and press **Run**.\n"
    "3. A LoRA of SD1.5: choose it in **Load LoRA** and switch that node on (select it, Ctrl+B).\n\n"
    "*strength* of **Addition Inject** turns the likeness up or down. More givers: wire another **Part Encode** "
    "into **Mask Fuse**.\n\n" + CONSENT,
    columns=[
        roles(""), roles("find"), ["crop", "vision"], roles("encode"), ["fap", "checkpoint"], ["lora"],
        ["fuse", "positive", "negative"], ["see origin", "inject"], ["sample"], ["decode"], ["paste"], ["save"],
    ],
    nodes=four_people() | {
        "crop": crop("find target", 512, "Crop the target"),
        "vision": vision(),
        "fap": Node("FuseAnyPartLoader", {"weights": FAP["name"]}, "", [FAP]),
        "checkpoint": checkpoint(SD15, "SD1.5 checkpoint, for CLIP and VAE"),
        "lora": Node(
            "LoraLoader", {"model": ("fap", 0), "clip": ("checkpoint", 1), "lora_name": "your_lora.safetensors"},
            "Your LoRA (Ctrl+B switches it on)", bypassed=True,
        ),
        **encoded("practical", {"target": "crop"} | {part: f"find {part}" for part in PARTS}),
        "fuse": mask_fuse(),
        "see origin": Node("PreviewImage", {"images": ("fuse", 1)}, "Who gives which cell"),
        **prompts(("lora", 1)),
        "inject": Node("AdditionInject", {
            "model": ("lora", 0), "adapter": ("fap", 1), "fused": ("fuse", 0), "vae": ("checkpoint", 2), "seed": 1,
            "positive": ("positive", 0), "negative": ("negative", 0),
        }),
        "sample": sampler(
            ("inject", 0), "inject", ("inject", 3), steps=30, cfg=7.5, sampler_name="ddim", scheduler="ddim_uniform",
            denoise=1.0,
        ),
        "decode": Node("VAEDecode", {"samples": ("sample", 0), "vae": ("checkpoint", 2)}),
        "paste": Node("FacePasteBack", {"image": ("decode", 0), "face_crop": ("crop", 3)}),
        "save": saved(("paste", 0), "face_parts_practical"),
    },
)  # fmt: skip
