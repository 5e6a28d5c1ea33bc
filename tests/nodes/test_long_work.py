"""Long work: every node that loops moves the host's progress bar and obeys its stop button."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from face_part_fusion.detectors.progress import counted, stages
from PIL import Image
from support.host_graphs import detect
from support.hosts import NODE_IDS, Server
from support.measured import measure, usable_hosts

# Nodes that do nothing for each picture, face or reference.
AT_ONCE = {
    "PartReference", "ControllerLoad", "MaskedFusion", "AdditionInject", "FuseAnyPartSampling",
    "RepresentationAssemble", "SemanticMix", "HeadLayoutDiffusionLoader", "FaceSwapLoad", "FPFFaceSave", "FPFFaceLoad",
}  # fmt: skip
FRAME, FRAMES, SIDE, CROP = "frame.png", 32, 256, 768


def test_a_loop_tells_after_each_item_how_many_are_done():
    told: list[Any] = []
    for item in counted("abc", lambda *done: told.append(done)):
        told.append(item)
    assert told == ["a", (1, 3), "b", (2, 3), "c", (3, 3)]
    assert list(counted("abc", None)) == ["a", "b", "c"]


def test_loops_that_follow_one_another_share_the_whole():
    told: list[tuple[int, int]] = []
    first, second = stages(lambda *done: told.append(done), 2)
    assert list(counted("ab", first)) == ["a", "b"] and list(counted("abcd", second))
    assert [done / total for done, total in told] == [0.25, 0.5, 0.625, 0.75, 0.875, 1]
    assert stages(None, 3) == [None] * 3


def test_what_is_told_may_stop_the_loop():
    seen = []

    def enough(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seen.extend(counted("abcd", enough))
    assert seen == ["a", "b"]


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    base = tmp_path_factory.mktemp("long_work")
    return measure(request.param, "long_work.py", base, str(portrait(base / "portrait.png")))


def portrait(file: Path) -> Path:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    Image.fromarray(data.astronaut()).save(file)
    return file


def test_every_node_is_tried_or_does_its_work_at_once(figures: dict[str, Any]):
    assert {name.partition(",")[0] for name in figures["looping"]} == NODE_IDS - AT_ONCE


def test_every_loop_moves_the_bar_picture_by_picture_and_never_back(figures: dict[str, Any]):
    for name, run in figures["looping"].items():
        shares = [done / total for done, total in run["told"]]
        assert len(shares) >= figures["pictures"], f"{name} told {run['told']}"
        assert shares == sorted(shares) and 0 < shares[0] and shares[-1] <= 1, f"{name}: {shares}"
        assert run["error"] == ("ValueError" if name == "FuseAnyPartLoader" else ""), name


def test_every_loop_ends_at_the_next_step_after_the_stop_button(figures: dict[str, Any]):
    for name, run in figures["looping"].items():
        assert run["stopped"] == "InterruptProcessingException" and run["after"] == 0, f"{name}: {run}"


class Listener:
    """The host's messages to one browser tab, and prompts that are queued from it."""

    def __init__(self, server: Server) -> None:
        websocket = pytest.importorskip("websocket", reason="needs websocket-client; pip install '.[test]'")
        self.server = server
        address = server.address.replace("http", "ws")
        self.socket = websocket.create_connection(f"{address}/ws?clientId=tab", timeout=120)

    def messages(self, graph: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Kind and content, until the graph is done, has failed or was stopped."""
        run = self._post("/prompt", {"prompt": graph, "client_id": "tab"})["prompt_id"]
        while True:
            came = self.socket.recv()
            if isinstance(came, str):
                message = json.loads(came)
                kind, data = message["type"], message["data"]
                if data.get("prompt_id", run) == run:
                    yield kind, data
                    if kind in ("execution_success", "execution_error", "execution_interrupted"):
                        return

    def stop(self) -> None:
        self._post("/interrupt", {})

    def _post(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        address, words = self.server.address + path, {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(address, json.dumps(value).encode(), words)) as answer:
            return json.loads(answer.read() or b"{}")


@pytest.fixture(scope="module")
def listener(server: Server) -> Listener:
    with Image.open(portrait(server.base / "input" / FRAME)) as photo:
        photo.crop((100, 0, 100 + SIDE, SIDE)).save(server.base / "input" / FRAME)
    return Listener(server)


def film(frames: int) -> dict[str, Any]:
    """Every node that works on pixels, one behind the other, on a batch."""
    strengths = {f"{part}_strength": 1.0 for part in ("eyes", "brows", "nose", "mouth", "skin")}
    chain = {
        "load": ("LoadImage", {"image": FRAME}),
        "frames": ("RepeatImageBatch", {"image": ["load", 0], "amount": frames}),
        "composite": ("PartComposite", {
            "target": ["detect", 0], "eyes": ["detect", 0], "warp": "similarity", "tone": 1.0, "grow": 1.0, **strengths,
        }),
        "crop": ("FPFFaceCropAlign", {"parts": ["detect", 0], "size": CROP, "align": "upright", "padding": 0.5}),
        "blurred": ("ImageBlur", {"image": ["crop", 0], "blur_radius": 3, "sigma": 2.0}),
        "paste": ("FPFFacePasteBack", {"image": ["blurred", 0], "face_crop": ["crop", 3], "feather": 8}),
        "save": ("MarkEdited", {
            "images": ["paste", 0], "filename_prefix": "film", "format": "png", "quality": 95, "mark": True, "note": "",
        }),
        "save too": ("PreviewImage", {"images": ["composite", 0]}),
    }  # fmt: skip
    graph = {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in chain.items()}
    return graph | {"detect": detect("frames", smallest=128)}


WORKING = ("detect", "composite", "crop", "paste", "save")


def test_the_host_is_told_of_every_node_that_works_on_a_batch(listener: Listener):
    told: dict[str, list[float]] = {}
    for kind, data in listener.messages(film(8)):
        if kind == "progress":
            told.setdefault(data["node"], []).append(data["value"] / data["max"])
    assert kind == "execution_success", data
    assert set(WORKING) <= set(told)
    for node in WORKING:
        assert told[node][0] < 1 and told[node][-1] == 1 and told[node] == sorted(told[node]), f"{node}: {told[node]}"


@pytest.mark.parametrize("node", WORKING)
def test_the_stop_button_ends_a_long_batch_at_once(listener: Listener, node: str):
    """What came before the node was not stopped, and comes from the host's cache the next time."""
    pressed = 0.0
    for kind, data in listener.messages(film(FRAMES)):
        if kind == "progress" and data["node"] == node and not pressed:
            listener.stop()
            pressed = time.monotonic()
    assert kind == "execution_interrupted" and data["node_id"] == node, f"{kind} {data}"
    assert time.monotonic() - pressed < 2
