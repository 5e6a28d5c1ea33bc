"""Writes workflows/*.json and subgraphs/*.json from tools/graphs.py and the graphs of tools/model_graphs.py.

They are laid out and serialised by ComfyUI's own front end:

    COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_templates.py [NAME ...] --look FOLDER

Needs Chromium and `playwright`. Run it after a change of a schema or of a graph, and look at the screenshots that it
puts beside the templates in --look FOLDER.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from graphs import PIXEL_TEMPLATES, Blueprint, Graph, as_api, numbers  # noqa: E402
from model_graphs import MODEL_TEMPLATES  # noqa: E402
from support.browser import front_end, show_all  # noqa: E402
from support.hosts import Server, find_hosts  # noqa: E402

TEMPLATES = PIXEL_TEMPLATES | MODEL_TEMPLATES
GAP_X, GAP_Y, TITLE = 130, 40, 30
LAY_OUT = """
async ({api, columns, bypassed, note, gap_x, gap_y, title}) => {
    await app.loadApiJson(api, "template")
    await new Promise(done => setTimeout(done, 1500))
    const graph = app.graph
    bypassed.forEach(id => graph.getNodeById(id).mode = 4)
    const tall = {LoadImage: 314, PreviewImage: 300, MarkEdited: 560, CLIPTextEncode: 150, KSampler: 280}
    const wide = {LoadImage: 280, MarkEdited: 380, CLIPTextEncode: 340, CheckpointLoaderSimple: 340,
                  CLIPVisionLoader: 400, ControllerLoad: 380, LoraLoader: 320}
    const stacks = columns.map(column => column.map(id => graph.getNodeById(id)))
    const heights = stacks.map(stack => stack.reduce((sum, node) => {
        const least = node.computeSize()
        node.setSize([Math.max(wide[node.type] || 300, least[0]), Math.max(tall[node.type] || 0, least[1])])
        return sum + node.size[1] + title + gap_y
    }, -gap_y))
    let x = 0
    stacks.forEach((stack, i) => {
        let y = (Math.max(...heights) - heights[i]) / 2
        for (const node of stack) {
            node.pos = [x, y]
            y += node.size[1] + title + gap_y
        }
        x += Math.max(...stack.map(node => node.size[0])) + gap_x
    })
    const text = LiteGraph.createNode("MarkdownNote")
    graph.add(text)
    text.title = "Read me"
    const lines = note.split("\\n").reduce((n, line) => n + (line ? Math.ceil(line.length / 64) : 0.4), 0)
    text.size = [420, 60 + 18 * lines]
    text.widgets[0].value = note
    text.pos = [-420 - gap_x, 0]
    return graph.serialize()
}
"""

BLUEPRINT = """
async ({name, roles, outside}) => {
    const nodes = app.graph._nodes.filter(node => !outside.includes(node.type))
    const {subgraph, node} = app.graph.convertToSubgraph(new Set(nodes))
    await new Promise(done => setTimeout(done, 1000))
    // The front end shows seeds of its own accord; `widgets` says which widgets are shown.
    node.inputs.filter(input => input.widget).forEach(input => subgraph.removeInput(
        subgraph.inputs.find(inner => inner.name === input.name)))
    subgraph.name = node.title = name
    node.inputs.forEach((input, i) => {
        const role = roles[app.graph.links.get(input.link).origin_id]
        for (const named of [subgraph.inputs[i], input]) named.name = named.label = named.localized_name = role
    })
    const made = {node: node.serialize(), subgraph: subgraph.asSerialisable()}
    made.node.inputs.forEach(input => input.link = null)
    made.node.outputs.forEach(output => output.links = [])
    return made
}
"""
# A node of ours or not -> the key in pyproject.toml of the version that it is written with.
VERSIONS = {True: "version", False: "requires-comfyui"}
OUTSIDE = ("LoadImage", "PreviewImage", "MarkEdited", "MarkdownNote")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="templates to write, all of them by default")
    parser.add_argument("--look", type=Path, default=Path(tempfile.mkdtemp()), help="where screenshots go")
    options = parser.parse_args()
    host = find_hosts()[-1]
    with tempfile.TemporaryDirectory() as base:
        server = Server(host, Path(base))
        shutil.copytree(ROOT / "web" / "examples", server.base / "input", dirs_exist_ok=True)
        for model in (m for graph in TEMPLATES.values() for node in graph.nodes.values() for m in node.models):
            # Without the files the front end frames their loaders in red.
            stand_in = server.base / "models" / model["directory"] / model["name"]
            stand_in.parent.mkdir(exist_ok=True)
            stand_in.touch()
        server.start()
        try:
            with front_end(server.address, 2600, 1500) as page:
                for name in options.names or TEMPLATES:
                    write(page, name, TEMPLATES[name], server.get_json("/object_info"), options.look)
        finally:
            server.stop()
    sys.stdout.write(f"screenshots in {options.look}\n")


def write(page: Any, name: str, graph: Graph, known: dict[str, Any], look: Path) -> None:
    """`known`: the host's /object_info."""
    api, ids = as_api(graph, known), numbers(graph)
    columns = [[int(ids[key]) for key in column] for column in graph.columns]
    made = page.evaluate(LAY_OUT, {
        "api": api, "columns": columns, "note": graph.note, "gap_x": GAP_X, "gap_y": GAP_Y, "title": TITLE,
        "bypassed": [int(ids[key]) for key, node in graph.nodes.items() if node.bypassed],
    })  # fmt: skip
    made |= {"nodes": tidy(made["nodes"], graph, ids), "extra": {"ds": {"scale": 0.6, "offset": [560, 120]}}}
    save(ROOT / "workflows" / f"{name}.json", made)
    show_all(page)
    page.screenshot(path=str(look / f"{name}.png"))
    if graph.blueprint:
        write_blueprint(page, graph, graph.blueprint)


def write_blueprint(page: Any, graph: Graph, blueprint: Blueprint) -> None:
    """Of the graph that is on the page."""
    ids = numbers(graph)
    roles = {ids[key]: key for key, node in graph.nodes.items() if node.kind == "LoadImage"}
    words = {"name": blueprint.name, "roles": roles, "outside": OUTSIDE}
    made = page.evaluate(BLUEPRINT, words)
    node, inner = made["node"], made["subgraph"]
    node |= {"id": -1, "pos": [0, 0], "title": blueprint.name, "widgets_values": []}
    node["properties"] = {"proxyWidgets": [[ids[key], widget] for key, widget in blueprint.widgets]}
    inner |= {"description": blueprint.description, "nodes": tidy(inner["nodes"], graph, ids)}
    graph_id = str(uuid.uuid5(uuid.NAMESPACE_URL, blueprint.name))
    node["type"] = inner["id"] = graph_id
    whole = {
        "revision": 0, "last_node_id": 0, "last_link_id": 0, "nodes": [node], "links": [], "version": 0.4,
        "definitions": {"subgraphs": [inner]},
    }  # fmt: skip
    save(ROOT / "subgraphs" / f"{blueprint.name}.json", whole)


def save(file: Path, value: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(_without_nulls(value), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {file.relative_to(ROOT)}\n")


def tidy(nodes: list[dict[str, Any]], graph: Graph, ids: dict[str, str]) -> list[dict[str, Any]]:
    """Without what old hosts do not know; with the pack's name and the model files of each node."""
    models = {int(ids[key]): node.models for key, node in graph.nodes.items() if node.models}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    # Of the host, the oldest that will do: the graphs take nothing newer.
    ver = {ours: re.search(rf'^{key} = "(?:>=)?(.+)"', project, re.M)[1] for ours, key in VERSIONS.items()}  # type: ignore[index]
    for node in nodes:
        node.pop("widgets_values_named", None)
        ours = (ROOT / "web" / "docs" / f"{node['type']}.md").is_file()
        node["properties"] = {"Node name for S&R": node["type"]}
        if node["type"] != "MarkdownNote":
            node["properties"] |= {"cnr_id": "face-part-fusion" if ours else "comfy-core", "ver": ver[ours]}
        if node["id"] in models:
            node["properties"]["models"] = list(models[node["id"]])
    return nodes


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        # A link that is absent is null in the format itself.
        return {k: _without_nulls(v) for k, v in value.items() if v is not None or k == "link"}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
