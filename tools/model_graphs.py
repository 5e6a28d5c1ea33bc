"""The templates that need model files, as data; tools/graphs.py says what a Node and a Graph are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs import Blueprint, Graph, Node, find, four_people, photo, saved

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
    "sd3.5_large_fp8_scaled.safetensors", "checkpoints",
    "Comfy-Org/stable-diffusion-3.5-fp8/resolve/main/sd3.5_large_fp8_scaled.safetensors",
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


def roles(step: str) -> list[str]:
    return [f"{step} {role}".strip() for role in ("target", *PARTS)]


FUSE_RELEASED = Graph(
    note="## FuseAnyPart as it was published\n\n"
    "Eyes, nose and mouth of three people through FuseAnyPart, computed as in the paper: text has no effect, and the "
    "result is the square face crop.\n\n"
    "Files:\n\n" + where(FAP, VISION, SD15) + "\n"
    "Of the checkpoint only the VAE is used; any SD1.5 one will do.\n\n"
    "1. Choose the target and the three people in **Load Image**.\n"
    "2. Press **Run**. *origin* of **Mask Fuse** shows which cell came from whom.\n\n"
    "For your own prompt, other parts and the whole photograph take the *practical* template.\n\n"
    "Only use photographs of people who agreed to it.",
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
    note="## FuseAnyPart with a prompt and a LoRA\n\n"
    "Eyes, nose and mouth of three people through FuseAnyPart; prompt and LoRA count, and the face goes back into the "
    "whole photograph.\n\n"
    "Files:\n\n" + where(FAP, VISION, SD15) + "\n"
    "1. Choose the target and the three people.\n"
    "2. Write the prompt, and press **Run**.\n"
    "3. A LoRA of SD1.5: choose it in **Load LoRA** and switch that node on (select it, Ctrl+B).\n\n"
    "*strength* of **Addition Inject** turns the likeness up or down. More givers: wire another **Part Encode** "
    "into **Mask Fuse**.\n\n"
    "Only use photographs of people who agreed to it. The saved file says that it was edited.",
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


def refined(of: Mapping[str, str], what: str, hint: str, prefix: str, **sampling: Any) -> Graph:
    """Part Composite, then a checkpoint that mends the seams inside a mask."""
    return Graph(
        note=f"## Composite, then {what} mends the seams\n\n"
        "**Part Composite** lays the parts in pixels; the checkpoint then goes over eyes, nose and mouth only, at the "
        "size that it was trained at.\n\n"
        "Files:\n\n" + where(of) + f"\n{hint}\n\n"
        "1. Choose the target and the three people, and press **Run**.\n"
        "2. *denoise* of the **KSampler**: 0.2 smooths, 0.35 mends, above 0.5 the likeness goes.\n\n"
        "Only use photographs of people who agreed to it. The saved file says that it was edited.",
        columns=[
            roles(""), roles("find"), ["fuse"], ["see", "find fused"], ["crop", "checkpoint"],
            ["mask", "encode", "positive", "negative"], ["hold"], ["sample"], ["decode"], ["paste"], ["save"],
        ],
        nodes=four_people() | {
            "fuse": Node("PartComposite", {
                "target": ("find target", 0), "eyes": ("find eyes", 0), "nose": ("find nose", 0),
                "mouth": ("find mouth", 0),
            }),
            "see": Node("PreviewImage", {"images": ("fuse", 0)}, "The composite"),
            "checkpoint": checkpoint(of),
            "find fused": find("fuse", "Find the fused face"),
            "crop": crop("find fused", 1024),
            **prompts(("checkpoint", 1)),
            "mask": Node("FacePartMask", {"parts": ("crop", 1), "brows": True, "grow": 32, "feather": 32}),
            "encode": Node("VAEEncode", {"pixels": ("crop", 0), "vae": ("checkpoint", 2)}),
            "hold": Node("MaskedFusion", {"model": ("checkpoint", 0), "target": ("encode", 0), "mask": ("mask", 0)}),
            "sample": sampler(("hold", 0), None, ("encode", 0), denoise=0.35, **sampling),
            "decode": Node("VAEDecode", {"samples": ("sample", 0), "vae": ("checkpoint", 2)}),
            "paste": Node("FacePasteBack", {"image": ("decode", 0), "face_crop": ("crop", 3), "mask": ("mask", 0)}),
            "save": saved(("paste", 0), prefix),
        },
    )  # fmt: skip


REFINE_SDXL = refined(
    SDXL, "SDXL", "Any other SDXL checkpoint will do.", "face_parts_sdxl",
    steps=30, cfg=5.0, sampler_name="dpmpp_2m", scheduler="karras",
)  # fmt: skip
REFINE_FLOW = refined(
    SD35, "a flow-matching model",
    "Any other model will do: for Flux load `flux1-dev-fp8.safetensors` and set *cfg* to 1, or put its separate "
    "loaders in the place of **Load Checkpoint**.", "face_parts_flow",
    steps=28, cfg=4.5, sampler_name="euler", scheduler="sgm_uniform",
)  # fmt: skip


def edit(title: str, what: str, people: Mapping[str, str], prefix: str, **settings: Any) -> Graph:
    """`people`: input of OmniRepresentationCondition -> what its photograph is called. `settings`: of that node."""
    return Graph(
        note=f"## {title}\n\n{what}\n\n"
        "Files:\n\n" + where(SD15) + "\n"
        "Any other checkpoint will do; set *size* of **Face Crop** to what it was trained at.\n\n"
        "Choose the photographs and press **Run**. *denoise* of the **KSampler**: 0.5 to 0.7 keeps what was laid there "
        "and mends the seams.\n\n"
        "**A stronger likeness**: with\n\n" + where(IP_ADAPTER, VISION) + "\n"
        "switch the two grey loaders on (select them, Ctrl+B); then an IP-Adapter steers every region with the face "
        "that gives it. FaceX's own weights were never published; a controller of your own training goes in there, "
        "too; the picture is then masked out as in the paper, so set *denoise* to 1.\n\n"
        "Only use photographs of people who agreed to it. The saved file says that it was edited.",
        columns=[
            ["target", *people], ["find target", *(f"find {p}" for p in people)],
            ["crop", "checkpoint", "controller", "vision"], ["positive", "negative"], ["omni"], ["see", "sample"],
            ["decode"], ["paste"], ["save"],
        ],
        nodes={
            "target": photo("Target: who is changed"),
            **{person: photo(called) for person, called in people.items()},
            "find target": find("target", "Find the face: target"),
            **{f"find {person}": find(person, f"Find the face: {person.replace('_', ' ')}") for person in people},
            "crop": crop("find target", 512),
            "checkpoint": checkpoint(SD15),
            "controller": controller(bypassed=True),
            "vision": vision(bypassed=True),
            **prompts(("checkpoint", 1)),
            "omni": Node("OmniRepresentationCondition", {
                "model": ("checkpoint", 0), "vae": ("checkpoint", 2), "target": ("crop", 1),
                "positive": ("positive", 0), "negative": ("negative", 0),
                "controller": ("controller", 0), "clip_vision": ("vision", 0),
                **{person: (f"find {person}", 0) for person in people}, **settings,
            }),
            "see": Node("PreviewImage", {"images": ("omni", 4)}, "What the sampling starts from"),
            "sample": sampler(
                ("omni", 0), "omni", ("omni", 3), steps=30, cfg=6.0, sampler_name="dpmpp_2m", scheduler="karras",
                denoise=0.6,
            ),
            "decode": Node("VAEDecode", {"samples": ("sample", 0), "vae": ("checkpoint", 2)}),
            "paste": Node("FacePasteBack", {"image": ("decode", 0), "face_crop": ("crop", 3), "mask": ("omni", 5)}),
            "save": saved(("paste", 0), prefix),
        },
    )  # fmt: skip


FACE_SWAP = edit(
    "Face swap after FaceX",
    "Brows, eyes, nose, lips and skin of the source; ears, hair and background stay the target's.",
    {"source": "Source: who gives the face"}, "face_parts_swap", task="face swap",
)  # fmt: skip
ATTRIBUTE_EDIT = edit(
    "Attribute edit after FaceX",
    "Single regions from two people: the eyes of the source, the lips of source 2. Each of the eight regions of "
    "**Omni Representation Condition** can be given to anybody, or be made *anew* from the prompt.",
    {"source": "Source: who gives the eyes", "source_2": "Source 2: who gives the lips"}, "face_parts_edit",
    task="attribute edit", eyes="source", lips="source 2",
)  # fmt: skip

BY_IP_ADAPTER = Graph(
    note="## Several people's parts by IP-Adapter\n\n"
    "Eyes, nose and mouth of three people steer an ordinary checkpoint, each in its own region of the target. The "
    "region is painted anew: softer than a composite, and it follows light and style of the target.\n\n"
    "Files:\n\n" + where(SD15, IP_ADAPTER, VISION) + "\n"
    "1. Choose the target and the three people, and press **Run**.\n"
    "2. The preview shows which region each of them steers.\n"
    "3. Too weak? Raise *strength* of **Face Controller Apply**, then *denoise* of the **KSampler**.\n\n"
    "Only use photographs of people who agreed to it. The saved file says that it was edited.",
    columns=[
        roles(""), roles("find"), ["crop", "vision"], [f"represent {part}" for part in PARTS],
        ["controller", "checkpoint"], ["steer", "mask", "encode"], ["see", "hold", "positive", "negative"],
        ["sample"], ["decode"], ["paste"], ["save"],
    ],
    nodes=four_people() | {
        "crop": crop("find target", 512, "Crop the target"),
        "checkpoint": checkpoint(SD15),
        "controller": controller(),
        "vision": vision(),
        **{
            f"represent {part}": Node("FaceRepresentationEncode", {
                "parts": (f"find {part}", 0), "clip_vision": ("vision", 0), "face": 0.0, **only(part),
            }, f"Encode the {part}")
            for part in PARTS
        },
        "steer": Node("ControllerApply", {
            "model": ("checkpoint", 0), "controller": ("controller", 0), "target": ("crop", 1),
            **{f"representations.representation{i}": (f"represent {part}", 0) for i, part in enumerate(PARTS)},
        }),
        "see": Node("PreviewImage", {"images": ("steer", 1)}, "Who steers which region"),
        "mask": Node("FacePartMask", {"parts": ("crop", 1), "brows": True, "grow": 16, "feather": 16}),
        "encode": Node("VAEEncode", {"pixels": ("crop", 0), "vae": ("checkpoint", 2)}),
        **prompts(("checkpoint", 1)),
        "hold": Node("MaskedFusion", {"model": ("steer", 0), "target": ("encode", 0), "mask": ("mask", 0)}),
        "sample": sampler(
            ("hold", 0), None, ("encode", 0), steps=30, cfg=6.0, sampler_name="dpmpp_2m", scheduler="karras",
            denoise=0.6,
        ),
        "decode": Node("VAEDecode", {"samples": ("sample", 0), "vae": ("checkpoint", 2)}),
        "paste": Node("FacePasteBack", {"image": ("decode", 0), "face_crop": ("crop", 3), "mask": ("mask", 0)}),
        "save": saved(("paste", 0), "face_parts_steered"),
    },
)  # fmt: skip

MODEL_TEMPLATES: Mapping[str, Graph] = {
    "fuse_any_part_as_published": FUSE_RELEASED,
    "fuse_any_part_with_prompt_and_lora": FUSE_PRACTICAL,
    "composite_refined_by_sdxl": REFINE_SDXL,
    "composite_refined_by_a_flow_model": REFINE_FLOW,
    "facex_face_swap": FACE_SWAP,
    "facex_attribute_edit": ATTRIBUTE_EDIT,
    "parts_of_several_people_by_ip_adapter": BY_IP_ADAPTER,
}
