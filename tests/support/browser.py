"""ComfyUI's real front end in a headless Chromium, for tests and for tools/graph_picture.py."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from typing import Any

# Software rendering: a test machine has no display.
FLAGS = ("--no-sandbox", "--use-gl=swiftshader", "--disable-dev-shm-usage")
READY = "window.app && window.app.graph && window.LiteGraph && document.querySelector('canvas')"

SHOW_ALL = """
() => {
    const nodes = app.graph._nodes, ds = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect()
    const x0 = Math.min(...nodes.map(n => n.pos[0])), y0 = Math.min(...nodes.map(n => n.pos[1])) - 40
    const x1 = Math.max(...nodes.map(n => n.pos[0] + n.size[0])), y1 = Math.max(...nodes.map(n => n.pos[1] + n.size[1]))
    const room = {left: 70, top: 60, right: 20, bottom: 20}
    const width = canvas.width - room.left - room.right, height = canvas.height - room.top - room.bottom
    ds.scale = Math.min(1, width / (x1 - x0), height / (y1 - y0))
    ds.offset = [room.left / ds.scale - x0, room.top / ds.scale - y0]
    app.canvas.setDirty(true, true)
}
"""


def show_all(page: Any) -> None:
    """Scale and move the canvas so that every node of the graph is seen."""
    page.evaluate(SHOW_ALL)
    page.wait_for_timeout(1000)


def open_graph(page: Any, workflow: dict[str, Any]) -> None:
    """Show a workflow as the front end opens a file."""
    page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    page.wait_for_function(
        "types => app.graph._nodes.length === types.filter("
        "type => type !== 'ImageCompare' || LiteGraph.registered_node_types[type]).length",
        arg=[node["type"] for node in workflow["nodes"]],
    )


def as_prompt(page: Any) -> dict[str, Any]:
    """What the Run button would send for the graph that is shown."""
    return page.evaluate("async () => (await app.graphToPrompt()).output")


def search(page: Any, words: str) -> None:
    """Open the search box of the canvas and type; on a busy machine the page sometimes misses a double click."""
    for _ in range(5):
        page.wait_for_timeout(300)  # or the click before and these two are taken for one gesture
        page.mouse.dblclick(600, 300)
        page.wait_for_timeout(500)
        if page.evaluate("document.activeElement.tagName === 'INPUT'"):
            page.keyboard.insert_text(words)
            page.wait_for_timeout(1000)
            return
    raise AssertionError("the search box did not open")


PLACE = """
photos => {
    const [node] = app.graph._nodes
    photos.forEach((photo, i) => {
        const load = LiteGraph.createNode("LoadImage")
        app.graph.add(load)
        load.pos = [-400, i * 350]
        load.widgets.find(widget => widget.name === "image").value = photo
        load.connect(0, node, i)
    })
    const save = LiteGraph.createNode("SaveImage")
    app.graph.add(save)
    save.pos = [700, 200]
    node.connect(0, save, 0)
    app.canvas.setDirty(true, true)
}
"""


def place_blueprint(page: Any, name: str, photos: list[str]) -> None:
    """A new graph: the blueprint from the search box, a Load Image for each input, its first output saved."""
    page.keyboard.press("Escape")
    page.evaluate("() => { app.graph.clear(); app.canvas.ds.reset(); app.canvas.setDirty(true, true) }")
    for _ in range(10):
        # The front end fetches blueprints after everything else.
        search(page, name)
        page.keyboard.press("Enter")
        page.wait_for_timeout(1500)
        if page.evaluate("app.graph._nodes.length"):
            break
        page.keyboard.press("Escape")
    page.mouse.click(600, 300)
    shown = page.evaluate("app.graph._nodes.map(node => node.title)")
    if shown != [name]:
        raise AssertionError(f"searching for the blueprint '{name}' gave {shown}")
    page.evaluate(PLACE, photos)


def find_chromium() -> str | None:
    """The browser of CHROMIUM, or one on the path."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def why_none() -> str:
    """Why no browser can be driven; empty when one can."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if find_chromium() else "no Chromium was found; install it or name it in CHROMIUM"


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """The browser. While it is open, asyncio takes this thread for one whose event loop runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def open_front_end(browser: Any, address: str, width: int = 1600, height: int = 900) -> Any:
    """A page with ComfyUI's front end at `address`, its start-up dialogs closed.

    `page.errors` lists what went to the console as an error, with the address of what was at fault.
    """
    page = browser.new_page(viewport={"width": width, "height": height})
    page.errors = []
    page.on("console", lambda m: m.type == "error" and page.errors.append(f"{m.text} {m.location['url']}"))
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.goto(address)
    page.wait_for_function(READY, timeout=120_000)
    page.wait_for_timeout(3000)
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    return page


@contextlib.contextmanager
def front_end(address: str, width: int = 1600, height: int = 900) -> Iterator[Any]:
    """`open_front_end` in a browser of its own."""
    with chromium() as browser:
        yield open_front_end(browser, address, width, height)
