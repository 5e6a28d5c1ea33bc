"""The templates and blueprints as their files say them, as a host serves them, and what comes out of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from .hosts import FOLDER, Host, Server
from .paths import ROOT

Workflow = Mapping[str, Any]


def _read(folder: str) -> dict[str, Workflow]:
    return {file.stem: json.loads(file.read_text("utf-8")) for file in sorted((ROOT / folder).glob("*.json"))}


def model_files(workflows: Iterable[Workflow]) -> list[dict[str, str]]:
    """Name, url and directory of each file that a node of the workflows loads."""
    nodes = (node for workflow in workflows for node in workflow["nodes"])
    return [model for node in nodes for model in node["properties"].get("models", ())]


def offer_models(server: Server) -> None:
    """Lay an empty file in the place of every model that a template names, so that the front end offers it."""
    for model in model_files(TEMPLATES.values()):
        file = server.base / "models" / model["directory"] / model["name"]
        file.parent.mkdir(exist_ok=True)
        file.touch()


TEMPLATES = _read("workflows")
BLUEPRINTS = _read("subgraphs")
MODEL_TEMPLATES = {name: workflow for name, workflow in TEMPLATES.items() if model_files([workflow])}
PIXEL_TEMPLATES = {name: workflow for name, workflow in TEMPLATES.items() if name not in MODEL_TEMPLATES}
# Those that save a video, which has no mark, instead of a picture.
VIDEO_TEMPLATES = {
    name: workflow for name, workflow in TEMPLATES.items() if any(n["type"] == "SaveVideo" for n in workflow["nodes"])
}
FIRST = "01 Eyes, Nose, Mouth (no model)"
# The same with the nodes inside of the first one.
SECOND = "02 With All Settings (no model)"
EXAMPLES = {file.name: file.read_bytes() for file in (ROOT / "web" / "examples").iterdir()}
# The video that stands for a video of one's own.
CLIP = "face_part_fusion_clip.mp4"
BYPASSED = 4
# Smaller than a person would want, so that a test has time for it.
QUICK = {"steps": 2, "size": 128}
# What the front end shows and no host ever runs.
NOTES = ("MarkdownNote",)
# Widget -> the front end's own widgets below it, which have a value but no input.
BELOW = dict.fromkeys(("seed", "noise_seed"), ("control_after_generate",))
FRONT_END_ONLY = ("control_after_generate", "upload")


def example(role: str) -> str:
    """File name of the portrait that stands for `role` until another is chosen."""
    return f"face_part_fusion_{role}.jpg"


def widgets(node: Mapping[str, Any]) -> dict[str, Any]:
    """Widget -> value, of those that a host is sent. Raises ValueError unless each widget has one value."""
    names = [name for i in node["inputs"] if "widget" in i for name in (i["name"], *BELOW.get(i["name"], ()))]
    values = dict(zip(names, node.get("widgets_values", ()), strict=True))
    return {name: value for name, value in values.items() if name not in FRONT_END_ONLY}


def links(graph: Workflow) -> list[tuple[Any, ...]]:
    """Link, node and output from which it comes, node and input to which it goes, and its type."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return [tuple(link[key] for key in keys) if isinstance(link, dict) else tuple(link) for link in graph["links"]]


def as_api(workflow: Workflow) -> dict[str, Any]:
    """In the host's API format, with the bypassed nodes too."""
    sources = {link: [str(node), output] for link, node, output, *_ in links(workflow)}
    return {
        str(node["id"]): {
            "class_type": node["type"],
            "inputs": widgets(node)
            | {i["name"]: sources[i["link"]] for i in node["inputs"] if i.get("link") is not None},
        }
        for node in workflow["nodes"]
        if node["type"] not in NOTES
    }


def bypassed(workflow: Workflow) -> set[str]:
    """Ids of the nodes that wait to be switched on."""
    return {str(node["id"]) for node in workflow["nodes"] if node["mode"] == BYPASSED}


def without(workflow: Workflow, *node_ids: int) -> dict[str, Any]:
    """In the host's API format, as the front end sends it with those bypassed too: a wire passes where types match.

    An output takes the input at its own place if that has its type, else the first input of its type, wired or not.
    """
    by_id = {str(node["id"]): node for node in workflow["nodes"]}
    passed = {*bypassed(workflow), *map(str, node_ids)}
    prompt = as_api(workflow)

    def source(link: list[Any]) -> list[Any] | None:
        if link[0] not in passed:
            return link
        node = by_id[link[0]]
        kind, sockets = node["outputs"][link[1]]["type"], node["inputs"]
        places = [link[1], *range(len(sockets))]
        place = next((i for i in places if i < len(sockets) and sockets[i]["type"] == kind), None)
        further = None if place is None else prompt[link[0]]["inputs"].get(sockets[place]["name"])
        return source(further) if isinstance(further, list) else None

    sent = {}
    for number, node in prompt.items():
        if number not in passed:
            inputs = {name: source(v) if isinstance(v, list) else v for name, v in node["inputs"].items()}
            sent[number] = {**node, "inputs": {name: v for name, v in inputs.items() if v is not None}}
    return sent


def hurried(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt with QUICK's sizes; borders, given in pixels of the crop, shrink with it."""
    sizes = [node["inputs"]["size"] for node in prompt.values() if "size" in node["inputs"]]
    for node in prompt.values():
        node["inputs"] |= {key: value for key, value in QUICK.items() if key in node["inputs"]}
        if node["inputs"].get("crop_size"):
            node["inputs"]["crop_size"] = QUICK["size"]
        if node["class_type"] == "FPFFacePartMask":
            share = QUICK["size"] / max(sizes)
            node["inputs"] |= {key: round(share * node["inputs"][key]) for key in ("grow", "feather")}
    return prompt


def wires(prompt: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Node -> its inputs that are wired."""
    return {
        number: {name: value for name, value in node["inputs"].items() if isinstance(value, list)}
        for number, node in prompt.items()
    }


def served(server: Server, name: str) -> dict[str, Any]:
    return server.get_json(f"/api/workflow_templates/{FOLDER}/{name}.json")


def runs_on(workflow: Workflow, host: Host) -> bool:
    """Whether every node of the host that the template uses is as old as this host."""
    nodes = [node["properties"] for node in workflow["nodes"] if node["properties"].get("cnr_id") == "comfy-core"]
    return all(tuple(map(int, each["ver"].split("."))) <= host.numbers for each in nodes)


def saved_by(prompt: dict[str, Any]) -> str:
    return next(number for number, node in prompt.items() if node["class_type"] == "MarkEdited")


def assert_same(prompt: dict[str, Any], workflow: Workflow) -> None:
    """Every widget and wire of the file is in the prompt; bypassed nodes and their wires are not."""
    expected, waiting = as_api(workflow), bypassed(workflow)
    assert set(prompt) == set(expected) - waiting
    for number, node in prompt.items():
        for name, value in expected[number]["inputs"].items():
            from_waiting = isinstance(value, list) and value[0] in waiting
            assert from_waiting or node["inputs"][name] == value, f"{node['class_type']} {name}"


def pixels(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)
