"""Gives CLIP's text and vision models in a ComfyUI four layers each: their widths are what the pack depends on.

A node pack without nodes, for hosts that run templates; `template_weights.py` writes weights to fit. A picture through
all layers of ViT-H takes a CPU six seconds.
"""

from __future__ import annotations

import json
from typing import IO, Any

import comfy.clip_vision
import comfy.sd1_clip

LAYERS = 4
NODE_CLASS_MAPPINGS: dict[str, type] = {}


class _Json:
    """What those modules read their configuration files with."""

    @staticmethod
    def load(file: IO[str]) -> dict[str, Any]:
        return json.load(file) | {"num_hidden_layers": LAYERS}


comfy.clip_vision.json = comfy.sd1_clip.json = _Json
