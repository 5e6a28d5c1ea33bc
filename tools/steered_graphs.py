"""The templates in which an ordinary checkpoint repaints a face: refined, edited after FaceX, steered by IP-Adapter.

As data; tools/graphs.py says what a Node and a Graph are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs import CHOOSE, CONSENT, Graph, Node, find, four_people, photo, saved
from model_files import (
    IP_ADAPTER,
    PARTS,
    SD15,
    SD35,
    SDXL,
    VISION,
    checkpoint,
    controller,
    crop,
    only,
    prompts,
    roles,
    sampler,
    vision,
    where,
)  # fmt: skip


def refined(of: Mapping[str, str], what: str, hint: str, prefix: str, **sampling: Any) -> Graph:
    """Part Composite, then a checkpoint that mends the seams inside a mask."""
    return Graph(
        note=f"## Composite, then {what} mends the seams\n\n" + CHOOSE +
        "**Part Composite** lays the parts in pixels; the checkpoint then goes over eyes, nose and mouth only, at the "
        "size that it was trained at.\n\n"
        "Files:\n\n" + where(of) + f"\n{hint}\n\n"
        "1. Choose the target and the three people, and press **Run**.\n"
        "2. *denoise* of the **KSampler**: 0.2 smooths, 0.35 mends, above 0.5 the likeness goes.\n\n" + CONSENT,
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
    "SD3.5 Medium and its text encoders in one file; the model itself is 5 GB, small for one of its kind. Any other "
    "will do: for Flux load `flux1-dev-fp8.safetensors` and set *cfg* to 1, or put its separate "
    "loaders in the place of **Load Checkpoint**.", "face_parts_flow",
    steps=28, cfg=4.5, sampler_name="euler", scheduler="sgm_uniform",
)  # fmt: skip


# Input of OmniRepresentationCondition -> the example portrait of that person.
EXAMPLES = {"source": "eyes", "source_2": "mouth"}


def edit(title: str, what: str, people: Mapping[str, str], prefix: str, **settings: Any) -> Graph:
    """`people`: input of OmniRepresentationCondition -> what its photograph is called. `settings`: of that node."""
    return Graph(
        note=f"## {title}\n\n" + CHOOSE +
        f"{what}\n\n"
        "Files:\n\n" + where(SD15) + "\n"
        "Any other checkpoint will do; set *size* of **Face Crop** to what it was trained at.\n\n"
        "Choose the photographs and press **Run**. *denoise* of the **KSampler**: 0.5 to 0.7 keeps what was laid there "
        "and mends the seams.\n\n"
        "**A stronger likeness**: with\n\n" + where(IP_ADAPTER, VISION) + "\n"
        "switch the two grey loaders on (select them, Ctrl+B); then an IP-Adapter steers every region with the face "
        "that gives it. FaceX's own weights were never published; a controller of your own training goes in there, "
        "too; the picture is then masked out as in the paper, so set *denoise* to 1.\n\n" + CONSENT,
        columns=[
            ["target", *people], ["find target", *(f"find {p}" for p in people)],
            ["crop", "checkpoint", "controller", "vision"], ["positive", "negative"], ["omni"], ["see", "sample"],
            ["decode"], ["paste"], ["save"],
        ],
        nodes={
            "target": photo("Choose: who is changed", "target"),
            **{person: photo(called, EXAMPLES[person]) for person, called in people.items()},
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
    {"source": "Choose: who gives the face"}, "face_parts_swap", task="face swap",
)  # fmt: skip
ATTRIBUTE_EDIT = edit(
    "Attribute edit after FaceX",
    "Single regions from two people: the eyes of the source, the lips of source 2. Each of the eight regions of "
    "**Omni Representation Condition** can be given to anybody, or be made *anew* from the prompt.",
    {"source": "Choose: who gives the eyes", "source_2": "Choose: who gives the lips"}, "face_parts_edit",
    task="attribute edit", eyes="source", lips="source 2",
)  # fmt: skip

BY_IP_ADAPTER = Graph(
    note="## Several people's parts by IP-Adapter\n\n" + CHOOSE +
    "Eyes, nose and mouth of three people steer an ordinary checkpoint, each in its own region of the target. The "
    "region is painted anew: softer than a composite, and it follows light and style of the target.\n\n"
    "Files:\n\n" + where(SD15, IP_ADAPTER, VISION) + "\n"
    "1. Choose the target and the three people, and press **Run**.\n"
    "2. The preview shows which region each of them steers.\n"
    "3. Too weak? Raise *strength* of **Face Controller Apply**, then *denoise* of the **KSampler**.\n\n" + CONSENT,
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
