"""The pack twice under two names, and beside a pack that shares its folders and sockets, in real servers."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.host_graphs import pixels_of, swap_graph
from support.hosts import NODE_IDS, Server
from support.measured import usable_hosts

# Another pack's way to use the same folder of models and a socket of the same name.
ANOTHER = """
import os
import folder_paths

paths = [os.path.join(folder_paths.models_dir, "ipadapter")]
folder_paths.folder_names_and_paths["ipadapter"] = (paths, {".pth"})


class Faces:
    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "faces", "another"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"parts": ("FACE_PARTS",)}}

    def faces(self, parts):
        return (parts.pictures,)


NODE_CLASS_MAPPINGS = {"AnotherPackFaces": Faces}
"""


@pytest.fixture(scope="module", params=usable_hosts())
def crowded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(request.param, tmp_path_factory.mktemp("crowded"))
    shutil.copytree(server.pack, server.pack.with_name("a copy of Face Part Fusion (main)"))
    shutil.copytree(server.pack, server.pack.with_name("zz-face_part_fusion.v2"))
    another = server.pack.with_name("another_pack")
    another.mkdir()
    (another / "__init__.py").write_text(ANOTHER, encoding="utf-8")
    for name in ("ours.safetensors", "theirs.pth"):
        (server.base / "models" / "ipadapter").mkdir(exist_ok=True)
        (server.base / "models" / "ipadapter" / name).touch()
    with server:
        yield server


def test_all_copies_load_and_nothing_in_the_log_needs_an_explanation(crowded: Server):
    log = crowded.log()
    assert "IMPORT FAILED" not in log and "Traceback" not in log and "Error while calling" not in log
    known = crowded.get_json("/object_info")
    assert known.keys() >= NODE_IDS | {"AnotherPackFaces"}
    # All of one copy, so that no object of one meets a check of another.
    assert len({known[node]["python_module"] for node in NODE_IDS}) == 1


def test_files_of_both_packs_are_offered_in_a_folder_that_both_use(crowded: Server):
    (names,) = [
        spec[1]["options"] if spec[0] == "COMBO" else spec[0]
        for name, spec in crowded.get_json("/object_info")["ControllerLoad"]["input"]["required"].items()
        if name == "controller_name"
    ]
    assert "ours.safetensors" in names


def test_a_graph_runs_as_with_one_copy_and_another_packs_node_reads_our_socket(
    crowded: Server, server: Server, people: dict[str, Path]
):
    if server.host != crowded.host:
        pytest.skip("compares within one host")
    pictures = []
    for host in (crowded, server):
        graph: dict[str, Any] = swap_graph(host, people)
        if host is crowded:
            graph["other"] = {"class_type": "AnotherPackFaces", "inputs": {"parts": ["find target", 0]}}
            graph["see"] = {"class_type": "SaveImage", "inputs": {"images": ["other", 0], "filename_prefix": "other"}}
        history = host.queue(graph)
        pictures.append(pixels_of(io.BytesIO(host.image(history, "save"))))
        if host is crowded:
            seen = pixels_of(io.BytesIO(host.image(history, "see")))
            assert np.abs(seen - pixels_of(people["target"])).max() <= 1
    assert np.array_equal(*pictures)
