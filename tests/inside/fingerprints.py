"""What this host compares between runs for every node that reads files: `fingerprints.py HOST BASE`."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
from pathlib import Path
from typing import Any

from host import finish, start

ours = start()

import execution  # noqa: E402
from comfy_execution.graph import DynamicPrompt  # noqa: E402

import nodes as of_host  # noqa: E402

of_host.NODE_CLASS_MAPPINGS.update(ours)
MODELS = Path(sys.argv[2]) / "models"
DETECT = {
    "image": ["0", 0], "threshold": 0.5, "smallest": 32, "order": "large-small", "index": 0, "on_missing": "error",
}  # fmt: skip
PROMPTED = {
    "detector": "text prompt", "detector.prompts": "nose: nose", "detector.grounding_dino": "dino",
    "detector.sam": "sam.pth",
}  # fmt: skip
PARSE = {"parts": ["0", 0], "replace": "only missing", "padding": 0.25}
# What is run -> the node, its inputs and the files that it reads.
READERS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "FuseAnyPart": (
        "FuseAnyPartLoader", {"weights": "fap.bin", "weight_dtype": "default", "onto": ["0", 0]},
        ["fuse_any_part/fap.bin"],
    ),
    "IP-Adapter": ("ControllerLoad", {"controller_name": "ip.safetensors"}, ["ipadapter/ip.safetensors"]),
    "FaceX": ("ControllerLoad", {"controller_name": "facex.safetensors"}, ["facex/facex.safetensors"]),
    "parser's file": (
        "FaceParse", PARSE | {"model": "parser.onnx"}, ["face_parsing/parser.onnx", "face_parsing/config.json"],
    ),
    "parser's folder": (
        "FaceParse", PARSE | {"model": "segformer"},
        ["face_parsing/segformer/config.json", "face_parsing/segformer/model.safetensors"],
    ),
    "InsightFace": (
        "FacePartDetect", DETECT | {"detector": "InsightFace", "detector.model_pack": "pack"},
        ["insightface/models/pack/det_10g.onnx", "insightface/models/pack/more/2d106det.onnx"],
    ),
    "text prompt": (
        "FacePartDetect", DETECT | PROMPTED,
        ["grounding-dino/dino/config.json", "grounding-dino/dino/model.safetensors", "sams/sam.pth"],
    ),
    "encoding for FaceX": (
        "FaceRepresentationEncode", {"parts": ["0", 0], "clip_vision": ["0", 1], "controller": ["0", 2]},
        ["insightface/models/pack/w600k_r50.onnx", "deep3dfacerecon/epoch_20.pth"],
    ),
    "an edit with FaceX": (
        "OmniRepresentationCondition", {"model": ["0", 0], "controller": ["0", 2], "task": "face swap"},
        ["insightface/models/pack/w600k_r50.onnx", "deep3dfacerecon/epoch_20.pth"],
    ),
    "built-in": ("FacePartDetect", DETECT | {"detector": "built-in"}, []),
    "built-in parser": ("FaceParse", PARSE | {"model": "built-in"}, []),
    "masks only": ("FaceParse", PARSE | {"model": "none (masks only)"}, []),
}  # fmt: skip


def compared(kind: str, inputs: dict[str, Any]) -> str:
    prompt = DynamicPrompt({"1": {"class_type": kind, "inputs": copy.deepcopy(inputs)}})
    return repr(asyncio.run(execution.IsChangedCache("", prompt, None).get("1")))


def looked_at(name: str) -> dict[str, Any]:
    kind, inputs, files = READERS[name]
    for file in files:
        (MODELS / file).write_bytes(b"one")
    before = compared(kind, inputs)
    again, changed = compared(kind, inputs), []
    for file in files:
        last = compared(kind, inputs)
        (MODELS / file).write_bytes(b"another")
        os.utime(MODELS / file, (1, 1))
        changed.append(compared(kind, inputs) != last)
    return {"before": before, "again": again, "changed": changed, "files": files}


for _, _, files in READERS.values():
    for file in files:
        (MODELS / file).parent.mkdir(parents=True, exist_ok=True)
        (MODELS / file).touch()
finish({
    "readers": {name: looked_at(name) for name in READERS},
    "missing": compared("ControllerLoad", {"controller_name": "no such file"}),
})  # fmt: skip
