"""What an artist reads in the error panel of real ComfyUI servers, and what is not an error at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.host_graphs import detect, load, only, swap_graph
from support.hosts import Server
from support.measured import measure

BLACK = {"class_type": "SolidMask", "inputs": {"value": 0.0, "width": 64, "height": 64}}
WHITE = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 64, "height": 64}}


@pytest.fixture(autouse=True)
def meadow(server: Server) -> None:
    Image.new("RGB", (64, 64), (90, 120, 90)).save(server.base / "input" / "meadow.png")


def message(server: Server, graph: dict[str, Any]) -> str:
    """The sentence of the panel, which shows the exception's class in front of it and its stack on request."""
    error = dict(server.queue(graph)["status"]["messages"])["execution_error"]
    assert error["exception_type"] == "ValueError"
    assert str(server.pack) not in error["exception_message"]
    assert any("in execute" in line for line in error["traceback"])
    return error["exception_message"]


def test_a_mask_without_white_is_an_error_that_says_where_it_comes_from(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people) | {"black": BLACK}
    graph["fuse"]["inputs"]["mask"] = ["black", 0]
    said = message(server, graph)
    assert said.startswith("mask is black everywhere") and "ComfyUI's Load Image gives" in said


def test_a_crop_pasted_through_a_black_mask_is_an_error(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people) | {"black": BLACK}
    cut = {"parts": ["find target", 0], "size": 256, "align": "upright", "padding": 0.5}
    graph["crop"] = {"class_type": "FPFFaceCropAlign", "inputs": cut}
    back = {"image": ["crop", 0], "face_crop": ["crop", 3], "feather": 8, "mask": ["black", 0]}
    graph["paste"] = {"class_type": "FPFFacePasteBack", "inputs": back}
    graph["save"]["inputs"]["images"] = ["paste", 0]
    assert "paint white what is to be pasted" in message(server, graph)


def test_a_reference_that_gives_nothing_is_an_error(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people)
    graph["by reference"] = {"class_type": "PartReference", "inputs": {"parts": ["find mouth", 0], **only(mouth=0.0)}}
    graph["fuse"]["inputs"]["references.reference0"] = ["by reference", 0]
    assert message(server, graph).startswith(
        "every part has the strength 0, so this person gives nothing: set at least"
    )


def test_a_part_that_is_missing_is_an_error_that_names_the_socket(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people) | {"load nobody": load("meadow.png"), "white": WHITE}
    graph["find nobody"] = detect("load nobody", mask=["white", 0])
    graph["fuse"]["inputs"]["nose"] = ["find nobody", 0]
    assert message(server, graph).startswith("no face found in the picture under mask. Paint the whole face white")
    graph["find nobody"] = detect("load nobody", mask=["white", 0], mask_is="hair")
    assert message(server, graph).startswith("nose: this face has no 'nose' (it has hair)")
    given = {"parts": ["find nobody", 0], **only(mouth=1.0)}
    graph["by reference"] = {"class_type": "PartReference", "inputs": given}
    del graph["fuse"]["inputs"]["nose"]
    graph["fuse"]["inputs"]["references.reference0"] = ["by reference", 0]
    assert "reference0: this face has no 'mouth'" in message(server, graph)


def test_where_nobody_was_found_a_black_mask_is_not_an_error(server: Server, people: dict[str, Path]):
    graph = swap_graph(server, people) | {"load nobody": load("meadow.png")}
    graph["find nobody"] = detect("load nobody", on_missing="keep empty")
    graph["fuse"]["inputs"] |= {"target": ["find nobody", 0], "mask": ["find nobody", 1]}
    assert server.image(server.queue(graph), "save")


def test_an_error_while_sampling_names_the_node_that_steers_and_no_other(
    server: Server, people: dict[str, Path], tmp_path: Path
):
    messages = measure(server.host, "sampling_errors.py", tmp_path, str(people["target"]))
    for node, said in messages.items():
        assert "a node for tiled sampling cuts it; take that node out" in said
        assert [other for other in messages if other in said] == [node], said
