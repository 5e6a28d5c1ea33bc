"""Writes docs/graph.jpg: the first template in ComfyUI's own front end, after a run as it opens.

    COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_graph_picture.py

Needs Chromium and `playwright`.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from support.browser import front_end, open_graph, show_all  # noqa: E402
from support.hosts import Server, find_hosts  # noqa: E402

TEMPLATE = ROOT / "workflows" / "eyes_nose_mouth_from_three_people.json"
AROUND = ("[data-testid=subgraph-breadcrumb]", "[data-testid=minimap-container]", ".actionbar")
EXTENT = """
() => {
    const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect(), room = 14
    const on = (x, y) => [canvas.x + (x + offset[0]) * scale, canvas.y + (y + offset[1]) * scale]
    const nodes = app.graph._nodes
    const [x0, y0] = on(Math.min(...nodes.map(n => n.pos[0])), Math.min(...nodes.map(n => n.pos[1])) - 30)
    const [x1, y1] = on(Math.max(...nodes.map(n => n.pos[0] + n.size[0])),
                        Math.max(...nodes.map(n => n.pos[1] + n.size[1])))
    return [x0 - room, y0 - room, x1 + room, y1 + room]
}
"""
WIDTH, LARGEST = 1800, 200_000


def main() -> None:
    with tempfile.TemporaryDirectory() as base:
        server = Server(find_hosts()[-1], Path(base))
        server.start()
        try:
            shot = run(server.address)
        finally:
            server.stop()
    save(shot, ROOT / "docs" / "graph.jpg")


def run(address: str) -> bytes:
    workflow = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    with front_end(address, 2600, 1500) as page:
        open_graph(page, workflow)
        page.get_by_test_id("queue-button").click()
        page.wait_for_function("app.graph._nodes.find(n => n.type === 'MarkEdited').imgs?.length", timeout=120_000)
        page.wait_for_timeout(6000)  # until the note that it is done has gone
        # Only the graph, without what the front end draws around and over it.
        page.add_style_tag(content=f"{', '.join(AROUND)} {{ display: none !important }}")
        page.evaluate("() => { app.canvas.show_info = false }")
        show_all(page)
        x0, y0, x1, y1 = page.evaluate(EXTENT)
        return page.screenshot(clip={"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0})


def save(shot: bytes, file: Path) -> None:
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    for quality in range(90, 40, -5):
        picture.save(file, quality=quality, optimize=True)
        if file.stat().st_size < LARGEST:
            break
    sys.stdout.write(f"wrote {file.relative_to(ROOT)}, {file.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
