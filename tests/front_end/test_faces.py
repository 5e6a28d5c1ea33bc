"""A click on a face in a node's own picture chooses it, in the classic renderer and in Nodes 2.0."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import as_prompt, open_front_end, why_none
from support.hosts import Server
from support.templates import EXAMPLES, example

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())

GRAPH = """
photo => {
    app.graph.clear()
    app.canvas.ds.reset()
    const make = (type, x) => {
        const node = LiteGraph.createNode(type)
        app.graph.add(node)
        node.pos = [x, 160]
        return node
    }
    const load = make("LoadImage", 80), detect = make("FacePartDetect", 450)
    load.widgets.find(widget => widget.name === "image").value = photo
    load.connect(0, detect, 0)
    detect.size = [420, 600]
    app.canvas.setDirty(true, true)
}
"""
DETECT = "app.graph._nodes.find(node => node.type === 'FacePartDetect')"
# Where the middle of each face lies on the page: x, y.
PLACES = {
    "classic": """
        () => {
            const node = NODE, preview = node.widgets.find(w => w.name.startsWith("$$canvas-image-preview"))
            const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect()
            const [width, height] = [node.size[0], preview.computedHeight - 15]
            const [x, y] = [node.pos[0] + offset[0], node.pos[1] + preview.y + offset[1]]
            return [canvas.x + x * scale, canvas.y + y * scale, width * scale, height * scale]
        }
    """,
    "Nodes 2.0": """
        () => {
            const element = document.querySelector(`[data-node-id="${NODE.id}"] img`).getBoundingClientRect()
            return [element.x, element.y, element.width, element.height]
        }
    """,
}


# Whether the node shows the picture of its last run.
SHOWN = {
    "classic": """
        () => {
            const file = app.nodeOutputs[NODE.id]?.images?.[0]?.filename, image = NODE.imgs?.[0]
            const preview = NODE.widgets.find(w => w.name.startsWith("$$canvas-image-preview"))
            const isLoaded = file && image?.src.includes(encodeURIComponent(file)) && image.naturalWidth
            return isLoaded && preview?.computedHeight
        }
    """,
    "Nodes 2.0": """
        () => {
            const file = app.nodeOutputs[NODE.id]?.images?.[0]?.filename
            const image = document.querySelector(`[data-node-id="${NODE.id}"] img`)
            return file && image?.src.includes(encodeURIComponent(file)) && image.naturalWidth
        }
    """,
}


def choose_renderer(server: Server, nodes_2: bool) -> None:
    settings = json.dumps({"Comfy.VueNodes.Enabled": nodes_2}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(server.address + "/settings", settings, headers), timeout=30).close()


@pytest.fixture(params=PLACES)
def own_page(request: pytest.FixtureRequest, browser: Any, server: Server) -> Iterator[tuple[str, Any]]:
    (server.base / "input" / example("group")).write_bytes(EXAMPLES[example("group")])
    choose_renderer(server, request.param == "Nodes 2.0")
    shown = open_front_end(browser, server.address)
    yield request.param, shown
    shown.close()
    choose_renderer(server, False)


def inputs_of(page: Any) -> dict[str, Any]:
    (inputs,) = (node["inputs"] for node in as_prompt(page).values() if node["class_type"] == "FacePartDetect")
    return inputs


def choice(page: Any) -> tuple[str, int]:
    return inputs_of(page)["order"], inputs_of(page)["index"]


def several(page: Any) -> tuple[int, str]:
    return inputs_of(page)["index"], inputs_of(page)["also"]


def wait_for_picture(page: Any, renderer: str) -> None:
    page.wait_for_function(SHOWN[renderer].replace("NODE", DETECT), timeout=120_000)
    page.wait_for_timeout(2000)  # until the node has its size


def corner_of(page: Any, renderer: str) -> tuple[float, float, float]:
    """x, y of the top left corner of the node's picture on the page, and its scale."""
    x, y, width, height = page.evaluate(PLACES[renderer].replace("NODE", DETECT))
    # The picture of the three people is 1024 x 455, as large as fits and in the middle.
    scale = min(width / 1024, height / 455)
    return x + (width - 1024 * scale) / 2, y + (height - 455 * scale) / 2, scale


def middle_of(page: Any, renderer: str, face: dict[str, Any]) -> tuple[float, float]:
    (left, top, scale), (x0, y0, x1, y1) = corner_of(page, renderer), face["box"]
    return left + (x0 + x1) / 2 * 1024 * scale, top + (y0 + y1) / 2 * 455 * scale


def shift_click(page: Any, at: tuple[float, float]) -> None:
    page.mouse.move(*at)
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")


def faces_of(server: Server) -> list[dict[str, Any]]:
    """What the last run told of the faces."""
    *_, last = server.get_json("/history").values()
    ((picture,),) = (output["images"] for output in last["outputs"].values())
    return picture["face_part_fusion"]["faces"]


def test_a_click_chooses_the_face_and_the_pointer_names_it(server: Server, own_page: tuple[str, Any]):
    renderer, page = own_page
    page.evaluate(GRAPH, example("group"))
    page.wait_for_timeout(1000)
    page.get_by_test_id("queue-button").click()
    wait_for_picture(page, renderer)
    left, top, scale = corner_of(page, renderer)
    assert choice(page) == ("large-small", 0)
    for number in (2, 1):
        face = faces_of(server)[number]
        at = middle_of(page, renderer, face)
        page.mouse.move(at[0] - 4, at[1])
        page.mouse.move(*at)
        mark = page.locator("#face-part-fusion-mark")
        mark.wait_for(state="visible", timeout=30_000)
        assert f"face {number} · {face['score']:.2f} · click to choose" in mark.inner_text()
        page.mouse.down()
        page.mouse.up()
        assert choice(page) == ("large-small", number)
        assert "press Run" in mark.inner_text()
    # A drag moves the node and chooses nothing; beside the picture nothing is marked.
    face = faces_of(server)[2]["box"]
    page.mouse.move(left + (face[0] + face[2]) / 2 * 1024 * scale, at[1])
    page.mouse.down()
    page.mouse.move(left + 512 * scale, at[1] + 40, steps=4)
    page.mouse.up()
    assert choice(page) == ("large-small", 1)
    page.mouse.move(1300, 700)
    page.locator("#face-part-fusion-mark").wait_for(state="hidden", timeout=30_000)

    # With Shift a click adds a face or takes it away, and the last one stays; a plain click chooses one alone.
    faces = faces_of(server)
    for number, chosen in ((2, (1, "2")), (0, (1, "2, 0")), (1, (2, "0")), (2, (0, "")), (0, (0, ""))):
        shift_click(page, middle_of(page, renderer, faces[number]))
        assert several(page) == chosen
    shift_click(page, middle_of(page, renderer, faces[2]))
    page.get_by_test_id("queue-button").click()
    page.wait_for_function(f"app.nodeOutputs[{DETECT}.id].images[0].filename !== '{name_of(page)}'", timeout=120_000)
    wait_for_picture(page, renderer)
    page.mouse.click(*middle_of(page, renderer, faces[1]))
    assert several(page) == (1, "")

    # After the page is loaded anew, the picture of the last run is there and can be clicked.
    before = name_of(page)
    page.evaluate("() => { window.isOld = true }")
    page.wait_for_timeout(1500)  # until the front end has kept the graph
    page.reload()
    page.wait_for_function("!window.isOld && window.app?.graph?._nodes.length === 2", timeout=120_000)
    wait_for_picture(page, renderer)
    assert name_of(page) == before and several(page) == (1, "")
    page.mouse.click(*middle_of(page, renderer, faces[2]))
    assert choice(page) == ("large-small", 2)


def name_of(page: Any) -> str:
    """The file of the picture that the node shows."""
    return page.evaluate(f"app.nodeOutputs[{DETECT}.id].images[0].filename")
