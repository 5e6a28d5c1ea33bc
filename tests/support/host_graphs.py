"""Graphs in API format that several tests queue, and the people in them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .hosts import Server

ROLES = ("target", "eyes", "nose", "mouth")
# Three people of the group photograph t1.jpg that insightface's wheel ships, with room around each: x0, y0, x1, y1.
GROUP_CUTS = {"eyes": (400, 190, 640, 490), "nose": (690, 290, 910, 540), "mouth": (1060, 215, 1280, 450)}


def group_photograph() -> Image.Image | None:
    spec = importlib.util.find_spec("insightface")
    file = Path(spec.origin).parent / "data" / "images" / "t1.jpg" if spec and spec.origin else None
    return Image.open(file) if file and file.is_file() else None


def swap_graph(server: Server, people: dict[str, Path]) -> dict[str, Any]:
    """LoadImage x4 -> FacePartDetect x4 -> PartComposite -> SaveImage, with every default spelled out."""
    graph: dict[str, Any] = {}
    for role, file in people.items():
        (server.base / "input" / file.name).write_bytes(file.read_bytes())
        graph |= {f"load {role}": load(file.name), f"find {role}": detect(f"load {role}")}
    strengths = {f"{part}_strength": 1.0 for part in ("eyes", "brows", "nose", "mouth", "skin")}
    wires = {role: [f"find {role}", 0] for role in people}
    graph["fuse"] = {
        "class_type": "PartComposite",
        "inputs": {**wires, **strengths, "warp": "similarity", "tone": 1.0, "grow": 1.0},
    }
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["fuse", 0], "filename_prefix": "fused"}}
    return graph


def detect(picture: str, **changes: Any) -> dict[str, Any]:
    from face_part_fusion.detectors.builtin import DEFAULT_THRESHOLD

    settings = {
        "detector": "built-in", "threshold": DEFAULT_THRESHOLD, "smallest": 32, "order": "large-small", "index": 0,
        "on_missing": "error",
    }  # fmt: skip
    return {"class_type": "FacePartDetect", "inputs": {"image": [picture, 0], **settings, **changes}}


def load(name: str) -> dict[str, Any]:
    return {"class_type": "LoadImage", "inputs": {"image": name}}


def only(**strengths: float) -> dict[str, float]:
    parts = ("eyes", "brows", "nose", "mouth", "skin", "left_eye", "right_eye", "left_brow", "right_brow")
    return {part: strengths.get(part, 0.0) for part in parts}


def pixels_of(file: Any) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB")).astype(int)
