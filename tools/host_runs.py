"""Runs the templates that need no model in a real ComfyUI, on the portraits that they open with."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path

from cast import ROLES, SIDE, photograph, portrait
from people import ROOT
from PIL import Image

sys.path.append(str(ROOT / "tests"))

from graphs import PIXEL_TEMPLATES, Graph, as_api, numbers  # noqa: E402
from support.hosts import Server, find_hosts  # noqa: E402

# The people of the group photograph from left to right, and a frame of a film in which nobody's face is seen.
GROUP = ("target", "eyes", "mouth")
NO_FACE = (96, 196, 256, 356)
Pictures = Mapping[str, list[Image.Image]]


def group() -> Image.Image:
    """Three people side by side."""
    page = Image.new("RGB", (3 * SIDE * 3 // 4, SIDE))
    for i, role in enumerate(GROUP):
        page.paste(portrait(ROLES[role]).crop((SIDE // 8, 0, SIDE * 7 // 8, SIDE)), (i * SIDE * 3 // 4, 0))
    return page


def without_face() -> Image.Image:
    """The hands of the person who is changed."""
    return photograph(ROLES["target"]).crop(NO_FACE).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def run_templates(names: Iterable[str] = PIXEL_TEMPLATES) -> dict[str, Pictures]:
    """Template -> key of a node -> the pictures that it showed or saved in the newest host."""
    with tempfile.TemporaryDirectory() as base:
        server = Server(find_hosts()[-1], Path(base))
        shutil.copytree(ROOT / "web" / "examples", server.base / "input", dirs_exist_ok=True)
        server.start()
        try:
            return {name: run(server, PIXEL_TEMPLATES[name]) for name in names}
        finally:
            server.stop()


def run(server: Server, graph: Graph) -> Pictures:
    prompt, ids = as_api(graph, server.get_json("/object_info")), numbers(graph)
    done = server.queue(prompt)
    if done["status"]["status_str"] != "success":
        raise RuntimeError(f"the template failed: {done['status']}")
    return {
        key: [fetched(server, file) for file in done["outputs"][ids[key]]["images"]]
        for key in graph.nodes
        if ids[key] in done["outputs"]
    }


def fetched(server: Server, file: Mapping[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(server.get("/view?" + urllib.parse.urlencode(file)))).convert("RGB")
