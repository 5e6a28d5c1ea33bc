"""A saved file that is dropped into ComfyUI's real front end opens the graph that made it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from PIL import Image
from support.browser import as_prompt, why_none
from support.hosts import Server

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())

DROP = """
async ([content, name, type]) => {
    app.graph.clear()
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0))
    await app.handleFile(new File([bytes], name, {type}))
}
"""


def test_a_png_and_a_webp_restore_the_graph_that_saved_them(server: Server, page: Any):
    Image.new("RGB", (40, 30), (200, 150, 90)).save(server.base / "input" / "plain.png")
    for kind in ("png", "webp"):
        graph = saving(kind)
        file = server.image(server.queue(graph), "2")
        page.evaluate(DROP, [base64.b64encode(file).decode(), f"saved.{kind}", f"image/{kind}"])
        page.wait_for_function("() => app.graph._nodes.length === 2", timeout=20_000)
        assert as_prompt(page)["2"]["inputs"]["format"] == kind


def saving(kind: str) -> dict[str, Any]:
    choices = {"filename_prefix": "saved", "format": kind, "quality": 90, "mark": True, "note": "目 and 鼻"}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "plain.png"}},
        "2": {"class_type": "MarkEdited", "inputs": {"images": ["1", 0], **choices}},
    }
