"""Words beside choices and sockets, in the language that the front end is set to."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from support.browser import open_front_end, why_none
from support.hosts import Server
from support.paths import ROOT

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())
COMPOSITE = "app.graph._nodes.find(node => node.type === 'PartComposite')"
GRAPH = """
() => {
    app.graph.clear()
    const [composite, one] = ["PartComposite", "PartReference"].map(type => LiteGraph.createNode(type))
    app.graph.add(composite)
    app.graph.add(one)
    composite.pos = [700, 200]
    one.pos = [200, 200]
    one.connect(0, composite, composite.inputs.findIndex(input => input.name === "references.reference0"))
    app.canvas.setDirty(true, true)
}
"""
LABELS = f"{COMPOSITE}.inputs.filter(input => input.name.startsWith('references.')).map(input => input.label)"


def post(server: Server, settings: dict[str, Any]) -> None:
    sent = json.dumps(settings).encode()
    request = urllib.request.Request(server.address + "/settings", sent, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.parametrize(("language", "nodes_2"), [("ja", False), ("zh", True), ("fr", True)])
def test_choices_and_growing_sockets_have_words_of_the_readers_language(
    server: Server, browser: Any, language: str, nodes_2: bool
):
    post(server, {"Comfy.Locale": language, "Comfy.VueNodes.Enabled": nodes_2})
    page = open_front_end(browser, server.address)
    try:
        page.evaluate(GRAPH)
        page.wait_for_function(f"{LABELS}.length === 2")
        page.wait_for_timeout(1000)
        # Another language than ours shows English.
        file = ROOT / "locales" / (language if language in ("ja", "zh") else "en") / "main.json"
        words = json.loads(file.read_text(encoding="utf-8"))["facePartFusion"]
        one_more, warp = words["sockets"]["PartComposite"]["reference"], words["options"]["PartComposite"]["warp"]
        assert page.evaluate(LABELS) == [f"reference{i}: {one_more}" for i in range(2)]
        if nodes_2:
            page.get_by_text(f"reference1: {one_more}").first.wait_for(timeout=10_000)
        widget = f"{COMPOSITE}.widgets.find(widget => widget.name === 'warp')"
        for value, meaning in warp.items():
            assert page.evaluate(f"{widget}.options.getOptionLabel('{value}')") == f"{value}: {meaning}"
        # What is saved and sent stays the value.
        assert page.evaluate(f"{widget}.value") == "similarity"
    finally:
        page.close()
        post(server, {"Comfy.Locale": "en", "Comfy.VueNodes.Enabled": False})
