"""Nodes show their picture in themselves, in real ComfyUI servers; and the one node that takes photographs only."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from support.host_graphs import ROLES, detect, load, pixels_of, swap_graph
from support.hosts import Server

PHOTOGRAPHS = {"strength": 1.0, "order": "large-small", "index": 0}


def shown(server: Server, history: dict[str, Any], node: str) -> tuple[dict[str, Any], np.ndarray]:
    (file,) = history["outputs"][node]["images"]
    query = "&".join(f"{key}={file[key]}" for key in ("filename", "subfolder", "type"))
    return file, pixels_of(io.BytesIO(server.get(f"/view?{query}")))


def test_a_graph_and_the_node_for_photographs_give_one_picture_and_show_it(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people)
    # A file of its own: a host may keep the picture of a node that has run in another graph to itself.
    folder, own = server.base / "input", "shown.png"
    shutil.copy(folder / graph["load target"]["inputs"]["image"], folder / own)
    graph["load target"]["inputs"]["image"] = own
    wires = {role: [f"load {role}", 0] for role in ROLES}
    graph["at once"] = {"class_type": "FPFSwapFaceParts", "inputs": {**wires, **PHOTOGRAPHS}}
    graph["save 2"] = {"class_type": "SaveImage", "inputs": {"images": ["at once", 0], "filename_prefix": "once"}}
    history = server.queue(graph)
    one, other = (pixels_of(io.BytesIO(server.image(history, node))) for node in ("save", "save 2"))
    assert (one == other).all()
    for node in ("fuse", "at once"):
        file, picture = shown(server, history, node)
        height, width = one.shape[:2]
        assert file["type"] == "temp" and picture.shape[1] == width and picture.shape[0] > height, "no report below"
        assert np.abs(picture[:height] - one).max() <= 1

    file, _ = shown(server, history, "find target")
    facts = file["face_part_fusion"]
    assert facts["order"] == "large-small" and facts["faces"]
    for face in facts["faces"]:
        x0, y0, x1, y1 = face["box"]
        assert x0 < x1 <= 1.5 and y0 < y1 <= 1.5 and 0 < face["score"] <= 1


def test_a_detect_node_runs_with_nothing_behind_it(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people)
    alone = {"load target": graph["load target"], "find target": detect("load target", smallest=33)}
    assert shown(server, server.queue(alone), "find target")[1].std() > 0


def test_a_photograph_without_a_face_is_named_by_its_input(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people)
    Image.new("RGB", (64, 64)).save(server.base / "input" / "nobody.png")
    wires = {"target": ["load target", 0], "nose": ["nobody", 0]}
    graph = {"load target": graph["load target"], "nobody": load("nobody.png")} | {
        "swap": {"class_type": "FPFSwapFaceParts", "inputs": {**wires, **PHOTOGRAPHS}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["swap", 0], "filename_prefix": "nobody"}},
    }
    assert "nose: no face found in the picture by the built-in detector. Use" in str(server.queue(graph)["status"])
    graph["swap"]["inputs"] = {"target": ["load target", 0], **PHOTOGRAPHS}
    assert "there is nothing to swap" in str(server.queue(graph)["status"])


def test_a_person_who_was_saved_gives_the_same_picture(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people)
    graph["keep"] = {"class_type": "FPFFaceSave", "inputs": {"parts": ["find eyes", 0], "save_as": "anna"}}
    one = pixels_of(io.BytesIO(server.image(server.queue(graph), "save")))
    graph = swap_graph(server, people)
    graph["load"] = {"class_type": "FPFFaceLoad", "inputs": {"saved": "anna.safetensors"}}
    graph["fuse"]["inputs"]["eyes"] = ["load", 0]
    history = server.queue(graph)
    assert (pixels_of(io.BytesIO(server.image(history, "save"))) == one).all()
    assert shown(server, history, "load")[1].shape == (128, 128, 3)
    (server.base / "models" / "face_parts" / "anna.safetensors").unlink()
    refused = {"keep": {"class_type": "FPFFaceSave", "inputs": {"parts": ["find eyes", 0], "save_as": "../anna"}}}
    refused |= {name: graph[name] for name in ("load eyes", "find eyes")}
    assert "save_as is '../anna'; write a plain name" in str(server.queue(refused)["status"])
