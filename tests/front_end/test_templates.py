"""The templates and blueprints as files: whole, explained, tidy, and each with a picture."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from PIL import Image
from support.hosts import NODE_IDS
from support.paths import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from graphs import CONSENT, PIXEL_TEMPLATES  # noqa: E402
from make_thumbnails import BEFORE_THE_MODEL, RUN  # noqa: E402
from model_graphs import MODEL_TEMPLATES  # noqa: E402

TEMPLATES = PIXEL_TEMPLATES | MODEL_TEMPLATES
BLUEPRINTS = [graph.blueprint.name for graph in TEMPLATES.values() if graph.blueprint]
CORE = {
    "LoadImage", "PreviewImage", "ImageBatch", "MarkdownNote", "CLIPVisionLoader", "CheckpointLoaderSimple",
    "LoraLoader", "CLIPTextEncode", "VAEEncode", "VAEDecode", "KSampler", "SamplerCustom",
}  # fmt: skip
# Node -> the widget that names its file.
LOADERS = {
    "CheckpointLoaderSimple": "ckpt_name", "CLIPVisionLoader": "clip_name", "FuseAnyPartLoader": "weights",
    "ControllerLoad": "controller_name",
}  # fmt: skip
TITLE = 30
EXAMPLE = re.compile(r"face_part_fusion_\w+[.]jpg")


def workflow(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def blueprint(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "subgraphs" / f"{name}.json").read_text(encoding="utf-8"))


def box(node: dict[str, Any]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 with the title bar."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def test_every_graph_is_written_and_nothing_else():
    assert {f.stem for f in (ROOT / "workflows").glob("*.json")} == set(TEMPLATES)
    assert {f.stem for f in (ROOT / "subgraphs").glob("*.json")} == set(BLUEPRINTS)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_has_a_picture(name: str):
    file = ROOT / "workflows" / f"{name}.jpg"
    assert file.stat().st_size < 60_000
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and picture.size == (512, 512)


def test_every_picture_is_drawn_from_its_template():
    assert set(RUN) == set(PIXEL_TEMPLATES) and set(BEFORE_THE_MODEL) == set(MODEL_TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_node_is_ours_or_the_hosts(name: str):
    for node in workflow(name)["nodes"]:
        ours = node["type"] in NODE_IDS
        assert ours or node["type"] in CORE, f"unknown node {node['type']}"
        if node["type"] != "MarkdownNote":
            assert node["properties"]["cnr_id"] == ("face-part-fusion" if ours else "comfy-core")
            assert re.fullmatch(r"\d+\.\d+\.\d+", node["properties"]["ver"])


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_explains_itself(name: str):
    (note,) = [n for n in workflow(name)["nodes"] if n["type"] == "MarkdownNote"]
    (text,) = note["widgets_values"]
    assert text.startswith("## ") and "**Run**" in text and text.endswith(CONSENT)
    assert re.search(r"\*\*.+?\*\*", text)[0] == "**Example portraits**"
    for model in (m for n in workflow(name)["nodes"] for m in n["properties"].get("models", ())):
        assert f"`{model['name']}` into `models/{model['directory']}`" in text


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_photograph_is_an_example_of_ours_until_another_is_chosen(name: str):
    named = [node["widgets_values"][0] for node in workflow(name)["nodes"] if node["type"] == "LoadImage"]
    assert named and all(EXAMPLE.fullmatch(file) for file in named)
    assert {file for file in named if not (ROOT / "web" / "examples" / file).is_file()} == set()


def test_the_front_end_extension_knows_its_examples_by_the_same_name():
    assert EXAMPLE.pattern.replace("[.]", "\\.") in (ROOT / "web" / "examples.js").read_text(encoding="utf-8")
    for file in (ROOT / "web" / "examples").iterdir():
        with Image.open(file) as picture:
            assert EXAMPLE.fullmatch(file.name) and picture.format == "JPEG" and file.stat().st_size < 200_000


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_loader_says_where_its_file_comes_from(name: str):
    for node in workflow(name)["nodes"]:
        if node["type"] in LOADERS:
            (model,) = node["properties"]["models"]
            assert model["name"] in node["widgets_values"]
            assert model["url"].startswith("https://huggingface.co/") and model["directory"]
        else:
            assert "models" not in node["properties"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_ends_in_a_marked_file(name: str):
    (save,) = [n for n in workflow(name)["nodes"] if n["type"] == "MarkEdited"]
    prefix, kind, _, mark, _ = save["widgets_values"]
    assert mark is True and kind == "png" and prefix.startswith("face_parts")
    assert not [n for n in workflow(name)["nodes"] if n["type"] == "SaveImage"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_node_lies_on_another_and_every_wire_runs_to_the_right(name: str):
    graph = workflow(name)
    nodes = {node["id"]: box(node) for node in graph["nodes"]}
    for a, (x0, y0, x1, y1) in nodes.items():
        over = [b for b, (u0, v0, u1, v1) in nodes.items() if a < b and x0 < u1 and u0 < x1 and y0 < v1 and v0 < y1]
        assert not over, f"node {a} lies on {over}"
    for link, giver, _, taker, *_ in graph["links"]:
        assert nodes[giver][2] < nodes[taker][0], f"link {link} runs to the left"


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_one_node_with_named_photographs_and_known_widgets(name: str):
    made = blueprint(name)
    (node,), (inner,) = made["nodes"], made["definitions"]["subgraphs"]
    assert node["type"] == inner["id"] and node["title"] == inner["name"] == name and inner["description"]
    assert [i["label"] for i in inner["inputs"]] == ["target", "eyes", "nose", "mouth"]
    assert {i["type"] for i in inner["inputs"]} == {o["type"] for o in inner["outputs"]} == {"IMAGE"}
    inside = {str(n["id"]): n for n in inner["nodes"]}
    for key, widget in node["properties"]["proxyWidgets"]:
        assert widget in [i["name"] for i in inside[key]["inputs"] if "widget" in i]
