"""The README's picture of the first template in ComfyUI's own front end, after a run as it opens."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import people  # noqa: F401  (makes the tests' helpers known, so it comes first)
from PIL import Image

# isort: split
from support.browser import front_end, open_graph, show_all
from support.hosts import Server, find_hosts
from support.templates import SECOND, TEMPLATES

AROUND = ("[data-testid=subgraph-breadcrumb]", "[data-testid=minimap-container]", ".actionbar")
EXTENT = """
() => {
    const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect(), room = 14
    const on = (x, y) => [canvas.x + (x + offset[0]) * scale, canvas.y + (y + offset[1]) * scale]
    const nodes = app.graph._nodes
    const [x0, y0] = on(Math.min(...nodes.map(n => n.pos[0])), Math.min(...nodes.map(n => n.pos[1])) - 30)
    const [x1, y1] = on(Math.max(...nodes.map(n => n.pos[0] + n.size[0])),
                        Math.max(...nodes.map(n => n.pos[1] + n.size[1])))
    return {x: x0 - room, y: y0 - room, width: x1 - x0 + 2 * room, height: y1 - y0 + 2 * room}
}
"""
WIDTH = 1800


def graph_picture() -> dict[str, Image.Image]:
    with tempfile.TemporaryDirectory() as base:
        server = Server(find_hosts()[-1], Path(base))
        server.start()
        try:
            shot = screenshot(server.address)
        finally:
            server.stop()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    size = WIDTH, round(picture.height * WIDTH / picture.width)
    return {"graph": picture.resize(size, Image.Resampling.LANCZOS)}


def screenshot(address: str) -> bytes:
    with front_end(address, 2600, 1500) as page:
        open_graph(page, TEMPLATES[SECOND])
        page.get_by_test_id("queue-button").click()
        page.wait_for_function("app.graph._nodes.find(n => n.type === 'MarkEdited').imgs?.length", timeout=120_000)
        page.wait_for_timeout(6000)  # until the note that it is done has gone
        # Only the graph, without what the front end draws around and over it.
        page.add_style_tag(content=f"{', '.join(AROUND)} {{ display: none !important }}")
        page.evaluate("() => { app.canvas.show_info = false }")
        show_all(page)
        return page.screenshot(clip=page.evaluate(EXTENT))
