"""The templates as graphs, as files that a host serves, and what comes out of them."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image

from .hosts import FOLDER, Server
from .paths import ROOT, TOOLS

sys.path.insert(0, str(TOOLS))

from graphs import PIXEL_TEMPLATES, as_api, example, numbers  # noqa: E402
from model_graphs import MODEL_TEMPLATES  # noqa: E402

__all__ = ["MODEL_TEMPLATES", "PIXEL_TEMPLATES", "as_api", "example", "numbers"]

TEMPLATES = PIXEL_TEMPLATES | MODEL_TEMPLATES
FIRST = "eyes_nose_mouth_from_three_people"
EXAMPLES = {file.name: file.read_bytes() for file in (ROOT / "web" / "examples").iterdir()}


def served(server: Server, name: str) -> dict[str, Any]:
    return server.get_json(f"/api/workflow_templates/{FOLDER}/{name}.json")


def saved_by(prompt: dict[str, Any]) -> str:
    return next(number for number, node in prompt.items() if node["class_type"] == "MarkEdited")


def assert_same(prompt: dict[str, Any], wanted: dict[str, Any], bypassed: set[str]) -> None:
    """Every widget and wire is what the graph says; those of nodes that wait to be switched on are not there."""
    assert set(prompt) == set(wanted) - bypassed
    for number, node in prompt.items():
        for name, value in wanted[number]["inputs"].items():
            waiting = isinstance(value, list) and value[0] in bypassed
            assert waiting or node["inputs"][name] == value, f"{node['class_type']} {name}"


def pixels(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)
