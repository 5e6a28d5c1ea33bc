"""The pack in real ComfyUI servers, on CPU: loading, schemas, help pages, a graph against the command line, errors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.host_graphs import ROLES, detect, load, only, pixels_of, swap_graph
from support.hosts import FOLDER, NODE_IDS, Server, find_hosts
from support.measured import NEEDED


def _old_hosts() -> list[Any]:
    hosts = [h for h in find_hosts() if h.numbers < NEEDED]
    none = pytest.mark.skip(reason="no ComfyUI older than 0.8.0 was found")
    return [pytest.param(h, id=h.version) for h in hosts] or [pytest.param(None, id="no host", marks=none)]


@pytest.fixture(params=_old_hosts())
def old_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with Server(request.param, tmp_path) as running:
        yield running


def test_exactly_our_nodes_are_listed(server: Server):
    assert set(_ours(server)) == NODE_IDS


def test_every_input_and_output_has_a_tooltip(server: Server):
    for node, info in _ours(server).items():
        bare = [
            name for name, options in _inputs(info["input"]) if not options.get("tooltip", "").strip().endswith(".")
        ]
        assert not bare, f"{node}: no full sentence for {bare}"
        assert all(info["output_tooltips"]), f"{node}: {info['output_tooltips']}"
        assert info["description"] and info["category"].startswith("face parts/")


def test_every_node_has_a_help_page(server: Server):
    for node in NODE_IDS:
        page = server.get(f"/extensions/{FOLDER}/docs/{node}.md").decode()
        assert page.startswith("# ")
        missing = [
            name for name, _ in _inputs(_ours(server)[node]["input"]) if f"`{name.rpartition('.')[2]}`" not in page
        ]
        assert not missing, f"{node}.md does not explain {missing}"


def test_graph_and_command_line_give_the_same_picture(server: Server, people: dict[str, Path], tmp_path: Path):
    from face_part_fusion.command.main import main

    fused = server.image(server.queue(swap_graph(server, people)), "save")
    words = [word for role in ROLES for word in (f"--{role}", str(people[role]))]
    assert main(["swap", *words, "-o", str(tmp_path / "fused.png")]) in (0, None)
    graph, command = pixels_of(io.BytesIO(fused)), pixels_of(tmp_path / "fused.png")
    assert graph.shape == command.shape
    assert np.abs(graph - command).max() <= 1
    assert np.abs(graph - pixels_of(people["target"])).max() > 20, "nothing was swapped"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_marked_file_tells_what_was_swapped(server: Server, people: dict[str, Path], kind: str):
    graph = swap_graph(server, people)
    fused = graph["save"]["inputs"]["images"]
    choices = {"format": kind, "quality": 95, "mark": True, "note": "Agreed."}
    marked = {"images": fused, "filename_prefix": "marked", **choices}
    graph["mark"] = {"class_type": "MarkEdited", "inputs": marked}
    file = server.image(server.queue(graph), "mark")
    for said in (b"compositeWithTrainedAlgorithmicMedia", b"composited: eyes, nose, mouth", b"Agreed."):
        assert said in file
    assert pixels_of(io.BytesIO(file)).shape == pixels_of(people["target"]).shape


def test_crop_mask_reference_and_paste_back_work_together(server: Server, people: dict[str, Path]):
    """Every node once: the mouth by a Part Reference, then a crop that goes back untouched."""
    graph = swap_graph(server, people) | {
        "by reference": {"class_type": "PartReference", "inputs": {"parts": ["find mouth", 0], **only(mouth=0.8)}},
        "crop": {
            "class_type": "FPFFaceCropAlign",
            "inputs": {"parts": ["find target", 0], "size": 256, "align": "upright", "padding": 0.5},
        },
        "paste": {
            "class_type": "FPFFacePasteBack",
            "inputs": {"image": ["crop", 0], "face_crop": ["crop", 3], "feather": 8},
        },
        "parts": {
            "class_type": "FPFFacePartMask",
            "inputs": {
                "parts": ["crop", 1], "eyes": True, "brows": True, "nose": True, "mouth": True, "skin": False,
                "more": "lips", "faces": "all", "shape": "outline", "grow": 4, "feather": 4, "invert": False,
            },
        },
        "seen": {"class_type": "MaskToImage", "inputs": {"mask": ["parts", 0]}},
        "save paste": {"class_type": "SaveImage", "inputs": {"images": ["paste", 0], "filename_prefix": "paste"}},
        "save seen": {"class_type": "SaveImage", "inputs": {"images": ["seen", 0], "filename_prefix": "seen"}},
        "save preview": {"class_type": "SaveImage", "inputs": {"images": ["find target", 2], "filename_prefix": "see"}},
    }  # fmt: skip
    for socket in ("eyes", "nose", "mouth"):
        del graph["fuse"]["inputs"][socket]
    graph["fuse"]["inputs"]["references.reference0"] = ["by reference", 0]
    history = server.queue(graph)
    target = pixels_of(people["target"])
    pasted = pixels_of(io.BytesIO(server.image(history, "save paste")))
    assert pasted.shape == target.shape and np.abs(pasted - target).mean() < 2
    seen = pixels_of(io.BytesIO(server.image(history, "save seen")))
    assert seen.shape == (256, 256, 3) and 0.03 < (seen > 127).mean() < 0.6
    changed = np.abs(pixels_of(io.BytesIO(server.image(history, "save"))) - target).max(-1) > 2
    assert 0 < changed.mean() < 0.1
    assert pixels_of(io.BytesIO(server.image(history, "save preview"))).shape == target.shape


def test_the_crop_of_another_picture_lies_where_the_faces_are(server: Server, people: dict[str, Path]):
    graph = {key: node for key, node in swap_graph(server, people).items() if key.endswith(" target")}
    cut = {"parts": ["find target", 0], "size": 256, "align": "upright", "padding": 0.5}
    graph["other"] = {"class_type": "ImageInvert", "inputs": {"image": ["load target", 0]}}
    graph["small"] = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}}
    for name, more in {"own": {}, "another": {"image": ["other", 0]}}.items():
        graph[f"cut {name}"] = {"class_type": "FPFFaceCropAlign", "inputs": cut | more}
        saved = {"images": [f"cut {name}", 0], "filename_prefix": "cut"}
        graph[f"save {name}"] = {"class_type": "SaveImage", "inputs": saved}
    history = server.queue(graph)
    own, another = (pixels_of(io.BytesIO(server.image(history, f"save {name}"))) for name in ("own", "another"))
    assert np.abs(own + another - 255).max() <= 2 and own.std() > 20
    graph["cut own"]["inputs"]["image"] = ["small", 0]
    error = dict(server.queue(graph)["status"]["messages"])["execution_error"]
    assert error["exception_message"].startswith("image has 1 pictures of 64 x 64 pixels, and the faces of parts")


def test_a_mask_and_the_hosts_boxes_may_say_where_the_face_is(server: Server, people: dict[str, Path]):
    (server.base / "input" / "target.png").write_bytes(people["target"].read_bytes())
    mask = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 512, "height": 512}}
    box = {"class_type": "PrimitiveBoundingBox", "inputs": {"x": 160, "y": 50, "width": 130, "height": 140}}
    graph = {"load": load("target.png"), "where": mask, "find": detect("load", mask=["where", 0])}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["find", 2], "filename_prefix": "masked"}}
    assert server.image(server.queue(graph), "save")
    if box["class_type"] in server.get_json("/object_info"):
        graph |= {"where": box, "find": detect("load", boxes=["where", 0])}
        assert server.image(server.queue(graph), "save")


def test_a_picture_without_a_face_is_a_readable_error(server: Server):
    Image.new("RGB", (320, 240), (90, 120, 90)).save(server.base / "input" / "meadow.png")
    graph = {"load": load("meadow.png"), "find": detect("load")}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["find", 2], "filename_prefix": "none"}}
    status = server.queue(graph)["status"]
    error = dict(status["messages"])["execution_error"]
    assert status["status_str"] == "error" and error["node_id"] == "find"
    # The panel shows the class in front of the message; one of the pack's own would bring its module's path.
    assert error["exception_type"] == "ValueError"
    assert error["exception_message"].startswith("no face found in the picture")
    assert "Lower the threshold" in error["exception_message"]


def test_keep_empty_goes_on_without_a_face(server: Server):
    Image.new("RGB", (320, 240), (90, 120, 90)).save(server.base / "input" / "meadow.png")
    graph = {"load": load("meadow.png"), "find": detect("load", on_missing="keep empty")}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["find", 2], "filename_prefix": "none"}}
    assert server.image(server.queue(graph), "save")


OPTIONAL = {
    "InsightFace": {"detector.model_pack": "no_such_pack"},
    "text prompt": {
        "detector.prompts": "hair: red hair",
        "detector.grounding_dino": "(none found)",
        "detector.sam": "none",
    },
}


@pytest.mark.parametrize("detector", OPTIONAL)
def test_an_optional_detector_that_is_not_there_says_what_is_needed(server: Server, detector: str):
    Image.new("RGB", (320, 240), (90, 120, 90)).save(server.base / "input" / "meadow.png")
    graph = {"load": load("meadow.png"), "find": detect("load", detector=detector, **OPTIONAL[detector])}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["find", 2], "filename_prefix": "none"}}
    error = dict(server.queue(graph)["status"]["messages"])["execution_error"]
    assert error["exception_type"] == "ValueError"
    assert "'built-in'" in error["exception_message"], "no way out is offered"


def test_nothing_wired_into_the_composite_is_a_readable_error(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people)
    for socket in ("eyes", "nose", "mouth"):
        del graph["fuse"]["inputs"][socket]
    error = dict(server.queue(graph)["status"]["messages"])["execution_error"]
    assert error["exception_message"].startswith("there is nothing to fuse")


def test_an_older_host_gets_one_line_and_keeps_everything_else(old_server: Server):
    lines = [line for line in old_server.log().splitlines() if "0.8.0" in line]
    assert len(lines) == 1 and f"found {old_server.host.version}" in lines[0], old_server.log()[-3000:]
    assert "Traceback" not in old_server.log()
    assert not NODE_IDS & set(old_server.get_json("/object_info"))
    graph = {
        "blank": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["blank", 0], "filename_prefix": "blank"}},
    }
    assert old_server.image(old_server.queue(graph), "save")


def _ours(server: Server) -> dict[str, Any]:
    known = server.get_json("/object_info")
    return {name: info for name, info in known.items() if info["python_module"] == f"custom_nodes.{FOLDER}"}


def _inputs(groups: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every input with its options, those inside dynamic inputs too."""
    for kind in ("required", "optional"):
        for name, spec in groups.get(kind, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            yield prefix + name, options
            nested = [o["inputs"] for o in options.get("options", []) if isinstance(o, dict)]
            for inner in [*nested, *([options["template"]["input"]] if "template" in options else [])]:
                yield from _inputs(inner, f"{prefix}{name}.")
