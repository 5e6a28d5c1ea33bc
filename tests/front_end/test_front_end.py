"""Every template, blueprint and node in ComfyUI's real front end, driven in a headless Chromium against real hosts."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.browser import as_prompt, open_graph, show_all, why_none
from support.hosts import FOLDER, Server
from support.measured import usable_hosts
from support.paths import ROOT
from support.templates import (
    BLUEPRINTS,
    BYPASSED,
    EXAMPLES,
    FIRST,
    NOTES,
    PIXEL_TEMPLATES,
    TEMPLATES,
    VIDEO_TEMPLATES,
    assert_same,
    example,
    runs_on,
    saved_by,
    served,
    wires,
    without,
)

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())
HOSTS = usable_hosts()


def post(server: Server, path: str, value: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        server.address + path, json.dumps(value).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


def complaints(server: Server, page: Any) -> list[str]:
    """Console errors; of older hosts, whose API may be too old for this front end, those that name the pack."""
    if server.host == HOSTS[-1].values[0]:
        return page.errors
    return [error for error in page.errors if FOLDER in error or "face_part" in error]


def test_the_host_offers_every_template_with_its_picture(server: Server):
    assert server.get_json("/api/workflow_templates")[FOLDER] == sorted(TEMPLATES)
    for name in TEMPLATES:
        assert server.get(f"/api/workflow_templates/{FOLDER}/{name}.jpg")[:2] == b"\xff\xd8"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_opens_whole_and_the_host_accepts_it(server: Server, page: Any, name: str, tmp_path: Path):
    if not runs_on(TEMPLATES[name], server.host):
        pytest.skip(f"a node of this template came after ComfyUI {server.host.version}")
    page.errors.clear()
    open_graph(page, served(server, name))
    missing = page.evaluate("app.graph._nodes.map(n => n.type).filter(t => !LiteGraph.registered_node_types[t])")
    prompt = as_prompt(page)
    show_all(page)
    page.screenshot(path=str(tmp_path / f"{name}.png"))
    assert missing == [] and complaints(server, page) == []
    assert_same(prompt, TEMPLATES[name])
    answer = post(server, "/prompt", {"prompt": prompt})
    post(server, "/queue", {"clear": True})
    post(server, "/interrupt", {})
    assert answer["node_errors"] == {}


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_front_end_sends_a_template_with_a_bypassed_node_as_the_tests_do(server: Server, page: Any, name: str):
    if not runs_on(TEMPLATES[name], server.host):
        pytest.skip(f"a node of this template came after ComfyUI {server.host.version}")
    open_graph(page, served(server, name))
    for node in TEMPLATES[name]["nodes"]:
        if node["type"] not in NOTES and node["mode"] != BYPASSED:
            page.evaluate("([id, mode]) => { app.graph.getNodeById(id).mode = mode }", [node["id"], BYPASSED])
            assert wires(as_prompt(page)) == wires(without(TEMPLATES[name], node["id"])), node["type"]
            page.evaluate("([id, mode]) => { app.graph.getNodeById(id).mode = mode }", [node["id"], node["mode"]])


# A video is checked in tests/nodes/test_film_hosts.py, which runs its template in real hosts.
@pytest.mark.parametrize("name", [name for name in PIXEL_TEMPLATES if name not in VIDEO_TEMPLATES])
def test_a_template_without_models_gives_a_picture(server: Server, page: Any, name: str):
    open_graph(page, served(server, name))
    prompt = as_prompt(page)
    history = server.queue(prompt)
    file = server.base / "output" / "result.png"
    file.write_bytes(server.image(history, saved_by(prompt)))
    assert b"compositeWithTrainedAlgorithmicMedia" in file.read_bytes()
    first = next(node["inputs"]["image"] for node in prompt.values() if node["class_type"] == "LoadImage")
    with Image.open(file) as result, Image.open(server.base / "input" / first) as target:
        assert result.size == target.size and result.convert("RGB").tobytes() != target.convert("RGB").tobytes()


LOADED = "app.graph._nodes.filter(n => n.type === 'LoadImage').flatMap(n => n.imgs ?? []).map(i => i.naturalWidth)"
PREVIEWS = (
    "app.graph._nodes.filter(n => ['FPFSwapFaceParts', 'MarkEdited'].includes(n.type))"
    ".flatMap(n => n.imgs ?? []).map(i => i.src)"
)


def examples(server: Server) -> dict[str, bytes]:
    """Those of ours that lie in the host's input folder."""
    return {file.name: file.read_bytes() for file in (server.base / "input").glob("face_part_fusion_*")}


def test_an_untouched_template_brings_its_portraits_and_runs_with_the_button(server: Server, page: Any, tmp_path: Path):
    for name in examples(server):
        (server.base / "input" / name).unlink()
    page.errors.clear()
    page.get_by_text("Templates", exact=True).first.click()
    page.get_by_role("dialog").get_by_text(FOLDER).first.click()
    page.get_by_test_id(f"template-workflow-{FIRST}").click()
    # Where the host has no node that compares pictures, the template opens without it.
    page.wait_for_function("app.graph._nodes.length === (LiteGraph.registered_node_types.ImageCompare ? 8 : 7)")
    came = examples(server)
    assert came == {name: EXAMPLES[name] for name in came} and len(came) == 4
    page.wait_for_function(f"{LOADED}.length === 4 && {LOADED}.every(width => width === 720)", timeout=20_000)
    assert page.evaluate(PREVIEWS) == []
    page.get_by_test_id("queue-button").click()
    page.wait_for_function(f"{PREVIEWS}.length === 2", timeout=120_000)
    shown = page.evaluate(PREVIEWS)
    assert sum("type=temp" in file for file in shown) == 1
    assert sum("type=output" in file and "filename=face_parts_" in file for file in shown) == 1
    show_all(page)
    page.screenshot(path=str(tmp_path / "run.png"))
    assert complaints(server, page) == []


def open_search(page: Any) -> None:
    """On a busy machine the page sometimes misses a double click."""
    focused = "document.activeElement.tagName === 'INPUT'"
    for _ in range(5):
        page.wait_for_timeout(300)  # or the click before and these two are taken for one gesture
        page.mouse.dblclick(600, 300)
        page.wait_for_timeout(500)
        if page.evaluate(focused):
            return
    raise AssertionError("the search box did not open")


def test_an_example_that_is_there_is_left_alone(server: Server, page: Any):
    open_graph(page, served(server, FIRST))
    own = server.base / "input" / example("eyes")
    before = own.stat().st_mtime_ns
    open_graph(page, served(server, FIRST))
    assert own.stat().st_mtime_ns == before and set(examples(server)) <= set(EXAMPLES)


@pytest.mark.slow
def test_every_node_is_added_from_the_search_box(server: Server, page: Any, tmp_path: Path):
    page.errors.clear()
    known = server.get_json("/object_info")
    ours = {node: info["display_name"] for node, info in known.items() if info["python_module"].endswith(FOLDER)}
    for node, called in ours.items():
        page.evaluate("() => { app.graph.clear(); app.canvas.ds.reset(); app.canvas.setDirty(true, true) }")
        open_search(page)
        page.keyboard.insert_text(called)
        page.wait_for_timeout(600)
        page.keyboard.press("Enter")
        page.wait_for_function("app.graph._nodes.length === 1", timeout=10_000)
        page.mouse.click(600, 300)
        assert page.evaluate("app.graph._nodes[0].type") == node, f"'{called}' gives another node"
        assert page.evaluate("app.graph._nodes[0].widgets?.length || app.graph._nodes[0].inputs.length")
    page.wait_for_timeout(500)
    page.screenshot(path=str(tmp_path / "searched.png"))
    assert complaints(server, page) == []


PICTURE = ".node-help-content img"
# Width of each table of the help page that is scrolled sideways.
TOO_WIDE = """
() => [...document.querySelectorAll(".node-help-content table")]
    .map(table => table.scrollWidth).filter(width => width > document.querySelector(".node-help-content").clientWidth)
"""


def test_a_tooltip_and_the_help_page_show(server: Server, page: Any, tmp_path: Path):
    page.errors.clear()
    page.keyboard.press("Escape")
    page.evaluate(
        "() => { app.graph.clear(); app.canvas.ds.reset(); const node = LiteGraph.createNode('FacePartDetect');"
        "app.graph.add(node); node.pos = [400, 300]; app.canvas.setDirty(true, true) }"
    )
    page.wait_for_timeout(800)
    x, y = page.evaluate(
        "() => { const node = app.graph._nodes[0], widget = node.widgets.find(w => w.name === 'threshold'),"
        "canvas = app.canvas.canvas.getBoundingClientRect();"
        "return [canvas.x + node.pos[0] + node.size[0] / 2, canvas.y + node.pos[1] + widget.last_y + 10] }"
    )
    page.mouse.move(x - 5, y)
    page.mouse.move(x, y)
    tooltip = server.get_json("/object_info")["FacePartDetect"]["input"]["required"]["threshold"][1]["tooltip"]
    page.get_by_text(tooltip).wait_for(timeout=10_000)
    page.screenshot(path=str(tmp_path / "tooltip.png"))
    page.evaluate("() => app.canvas.selectItems([app.graph._nodes[0]])")
    page.get_by_test_id("info-button").click()
    page.get_by_text("Finds the faces of a picture and the outlines of their parts").first.wait_for(timeout=10_000)
    page.screenshot(path=str(tmp_path / "help.png"))
    # The front end first asks for a page in the reader's language.
    assert [error for error in complaints(server, page) if "docs/FacePartDetect/en.md" not in error] == []


def test_every_help_page_shows_its_picture(server: Server, page: Any, tmp_path: Path):
    page.errors.clear()
    ours = sorted(f.stem for f in (ROOT / "web" / "docs").glob("*.md"))
    for node in ours:
        page.evaluate(
            "name => { app.graph.clear(); app.canvas.ds.reset(); const node = LiteGraph.createNode(name);"
            "app.graph.add(node); node.pos = [400, 300]; app.canvas.setDirty(true, true);"
            "app.canvas.selectItems([node]) }", node,
        )  # fmt: skip
        if not page.locator(PICTURE).count():
            page.get_by_test_id("info-button").click()
        page.wait_for_function(
            "([picture, ending]) => { const found = [...document.querySelectorAll(picture)];"
            "return found.length === 1 && found[0].src.endsWith(ending) && found[0].complete }",
            arg=[PICTURE, f"/docs/{node}.jpg"], timeout=20_000,
        )  # fmt: skip
        picture = page.locator(PICTURE)
        assert picture.evaluate("image => image.naturalWidth") > 0, f"the picture of {node} is broken"
        assert picture.evaluate("image => image.clientWidth") > 200 and picture.get_attribute("alt")
        picture.screenshot(path=str(tmp_path / f"{node}.png"))
        assert page.evaluate(TOO_WIDE) == [], f"a table of {node} is wider than the panel"
    page.screenshot(path=str(tmp_path / "help.png"))
    # The front end first asks for a page in the reader's language.
    assert [error for error in complaints(server, page) if "/en.md" not in error] == []


def test_blueprints_are_offered_and_run(server: Server, page: Any, tmp_path: Path):
    offered = {
        key: entry["name"] for key, entry in server.get_json("/api/global_subgraphs").items()
        if entry["info"]["node_pack"] == f"custom_nodes.{FOLDER}"
    }  # fmt: skip
    assert set(offered.values()) == set(BLUEPRINTS)
    for key, name in offered.items():
        page.errors.clear()
        made = json.loads(server.get_json(f"/api/global_subgraphs/{urllib.parse.quote(key)}")["data"])
        open_graph(page, made)
        show_all(page)
        page.screenshot(path=str(tmp_path / f"{name}.png"))
        shown = page.evaluate("app.graph._nodes[0].widgets.map(w => w.name)")
        assert shown == [widget for _, widget in made["nodes"][0]["properties"]["proxyWidgets"]]
        inside = as_prompt(page)
        assert {node["class_type"] for node in inside.values()} <= set(server.get_json("/object_info"))
        assert complaints(server, page) == []
