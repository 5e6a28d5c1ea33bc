"""The templates and blueprints as files: explained, tidy, each with a picture, each part from the right portrait."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.hosts import NODE_IDS
from support.paths import ROOT
from support.templates import (
    BLUEPRINTS,
    CLIP,
    SECOND,
    TEMPLATES,
    VIDEO_TEMPLATES,
    as_api,
    example,
    links,
    model_files,
    widgets,
)

CORE = {
    "LoadImage", "PreviewImage", "ImageBatch", "MarkdownNote", "CLIPVisionLoader", "CheckpointLoaderSimple",
    "LoraLoader", "CLIPTextEncode", "VAEEncode", "VAEDecode", "KSampler", "SamplerCustom", "SAM3_Detect",
    "ControlNetLoader", "ControlNetApplyAdvanced", "ImageCompositeMasked", "EmptyLatentImage", "Canny", "ImageCompare",
    "LoadVideo", "GetVideoComponents", "CreateVideo", "SaveVideo",
}  # fmt: skip
# Node -> the widget that names its file.
LOADERS = {
    "CheckpointLoaderSimple": "ckpt_name", "CLIPVisionLoader": "clip_name", "FuseAnyPartLoader": "weights",
    "ControllerLoad": "controller_name", "ControlNetLoader": "control_net_name",
    "FaceSwapLoad": "swapper",
}  # fmt: skip
# Nodes whose files are not on Hugging Face -> where they come from.
ELSEWHERE = {"FaceSwapLoad": "https://github.com/ygtxr1997/ReliableSwap/"}
# Blueprint -> the template of which it is the middle.
TEMPLATE_OF = {
    "Eyes, Nose, Mouth from Three People": SECOND,
    "FuseAnyPart for Eyes, Nose, Mouth": "60 FuseAnyPart as Published",
    "Head of One Person, Body of Another": "05 Head Swap, a Draft (no model)",
}
# Blueprint -> its photographs, and of whom the example is.
PEOPLE = dict.fromkeys(TEMPLATE_OF, {role: role for role in ("target", "eyes", "nose", "mouth")})
PEOPLE["Head of One Person, Body of Another"] = {"body": "target", "head": "mouth"}
# Nodes of a template that are not part of its blueprint.
OUTSIDE = {"LoadImage", "PreviewImage", "MarkEdited", "MarkdownNote"}
PARTS = ("eyes", "nose", "mouth")
# Of a node in a file; the front end writes others, some of which older ones do not know.
PROPERTIES = {"Node name for S&R", "cnr_id", "ver", "models"}
CONSENT = "Only use photographs of people who agreed to it. The saved file says that it was edited."
# A video that the host saves cannot carry the mark.
FILM_CONSENT = (
    "Only use videos and photographs of people who agreed to it. A saved video carries no mark: say that it was edited."
)
TITLE = 30
EXAMPLE = re.compile(r"face_part_fusion_\w+[.](jpg|mp4)")
# Nodes that load an example.
OPENERS = ("LoadImage", "LoadVideo")


def is_film(name: str) -> bool:
    return name in VIDEO_TEMPLATES


def box(node: dict[str, Any]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 with the title bar."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


@pytest.mark.parametrize("file", [*ROOT.glob("workflows/*.json"), *ROOT.glob("subgraphs/*.json")], ids=lambda f: f.stem)
def test_every_file_is_written_so_that_a_change_is_a_small_difference(file: Path):
    text = file.read_text(encoding="utf-8")
    hint = "write it with python -m json.tool --indent 1 --no-ensure-ascii"
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n", hint


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_has_a_picture(name: str):
    file = ROOT / "workflows" / f"{name}.jpg"
    assert file.stat().st_size < 60_000
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and picture.size == (512, 512)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_node_is_ours_or_the_hosts(name: str):
    for node in TEMPLATES[name]["nodes"]:
        ours = node["type"] in NODE_IDS
        assert ours or node["type"] in CORE, f"unknown node {node['type']}"
        if node["type"] != "MarkdownNote":
            assert node["properties"]["cnr_id"] == ("face-part-fusion" if ours else "comfy-core")
            assert re.fullmatch(r"\d+\.\d+\.\d+", node["properties"]["ver"])
        assert set(node["properties"]) <= PROPERTIES and "widgets_values_named" not in node


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_explains_itself(name: str):
    (note,) = [n for n in TEMPLATES[name]["nodes"] if n["type"] == "MarkdownNote"]
    (text,) = note["widgets_values"]
    assert text.startswith("## ") and "**Run**" in text and text.endswith(FILM_CONSENT if is_film(name) else CONSENT)
    assert re.search(r"\*\*.+?\*\*", text)[0] == "**Example portraits**"
    for model in model_files([TEMPLATES[name]]):
        assert f"**{model['name']}** into **models/{model['directory']}**" in text
    # In Nodes 2.0 a word set as code is blue on blue in a note.
    assert "`" not in text


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_photograph_is_an_example_of_ours_until_another_is_chosen(name: str):
    named = [node["widgets_values"][0] for node in TEMPLATES[name]["nodes"] if node["type"] in OPENERS]
    assert named and all(EXAMPLE.fullmatch(file) for file in named)
    assert {file for file in named if not (ROOT / "web" / "examples" / file).is_file()} == set()


def test_the_front_end_extension_knows_its_examples_by_the_same_name():
    assert EXAMPLE.pattern.replace("[.]", "\\.") in (ROOT / "web" / "examples.js").read_text(encoding="utf-8")
    for file in (ROOT / "web" / "examples").iterdir():
        assert EXAMPLE.fullmatch(file.name) and file.stat().st_size < 200_000
        if file.name == CLIP:
            continue
        with Image.open(file) as picture:
            assert picture.format == "JPEG"


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_loader_says_where_its_file_comes_from(name: str):
    for node in TEMPLATES[name]["nodes"]:
        if node["type"] in LOADERS:
            (model,) = node["properties"]["models"]
            assert model["name"] in node["widgets_values"]
            source = ELSEWHERE.get(node["type"], "https://huggingface.co/")
            assert model["url"].startswith(source) and model["directory"]
        else:
            assert "models" not in node["properties"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_ends_in_a_marked_file_or_in_a_video(name: str):
    if is_film(name):
        (save,) = [n for n in TEMPLATES[name]["nodes"] if n["type"] == "SaveVideo"]
        assert "face_parts" in save["widgets_values"][0]
        return
    (save,) = [n for n in TEMPLATES[name]["nodes"] if n["type"] == "MarkEdited"]
    prefix, kind, _, mark, _ = save["widgets_values"]
    assert mark is True and kind == "png" and prefix.startswith("face_parts")
    assert not [n for n in TEMPLATES[name]["nodes"] if n["type"] == "SaveImage"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_node_lies_on_another_and_every_wire_runs_to_the_right(name: str):
    graph = TEMPLATES[name]
    nodes = {node["id"]: box(node) for node in graph["nodes"]}
    for a, (x0, y0, x1, y1) in nodes.items():
        over = [b for b, (u0, v0, u1, v1) in nodes.items() if a < b and x0 < u1 and u0 < x1 and y0 < v1 and v0 < y1]
        assert not over, f"node {a} lies on {over}"
    for link, giver, _, taker, *_ in graph["links"]:
        assert nodes[giver][2] < nodes[taker][0], f"link {link} runs to the left"


def portraits(prompt: dict[str, Any], node: str) -> set[str]:
    """File names in the loaders from which the pictures and faces of a node come."""
    inputs = prompt[node]["inputs"].values()
    if prompt[node]["class_type"] in OPENERS:
        return set(inputs)
    return {file for source in inputs if isinstance(source, list) for file in portraits(prompt, source[0])}


def parts_by_input(node: dict[str, Any]) -> dict[str, str]:
    """Input of a node -> the part for which it is there, or "target"."""
    kind, inputs = node["class_type"], node["inputs"]
    if kind in ("PartComposite", "FPFSwapFaceParts"):
        return {part: part for part in ("target", *PARTS) if part in inputs}
    if kind in ("PartEncode", "FaceRepresentationEncode") and inputs.get("role") != "target":
        (part,) = [part for part in PARTS if inputs[part] > 0]
        return {"parts": part}
    if kind == "OmniRepresentationCondition":
        givers = {inputs[region].replace(" ", "_"): part for region, part in (("eyes", "eyes"), ("lips", "mouth"))}
        # The task itself takes the face of the source.
        return {"target": "target", "source": "eyes"} | {g: part for g, part in givers.items() if g in inputs}
    return {"target": "target"} if kind in ("MaskFuse", "ControllerApply", "FPFFaceSwap") else {}


def portraits_are(people: list[dict[str, Any]], *roles: str) -> bool:
    return [node["inputs"]["image"] for node in people] == [example(role) for role in roles]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_part_comes_from_the_portrait_of_that_part(name: str):
    prompt = as_api(TEMPLATES[name])
    parts = [(node, taken, part) for node in prompt.values() for taken, part in parts_by_input(node).items()]
    for node, taken, part in parts:
        files = portraits(prompt, node["inputs"][taken][0])
        assert example(part) in files or files in ({example("group")}, {CLIP}), (
            f"{part} of {node['class_type']} is of {files}"
        )
    people = [node for node in prompt.values() if node["class_type"] == "LoadImage"]
    # A head on another body: whose mouth is taken elsewhere gives the head.
    whole = portraits_are(people, "target") or portraits_are(people, "mouth", "target")
    # A face in a group.
    whole = whole or portraits_are(people, "group", "mouth")
    # A face in frames of which one shows nobody, and a face by two photographs of its person.
    whole = whole or portraits_are(people, "target", "no_face", "eyes")
    whole = whole or portraits_are(people, "target", "mouth", "mouth")
    # A batch of heads, one body.
    whole = whole or portraits_are(people, "eyes", "nose", "mouth", "target")
    # New pictures of one person, of that person in three photographs, and of three people who stand as in a fourth.
    whole = whole or portraits_are(people, "target", "eyes", "mouth")
    whole = whole or portraits_are(people, "group", "eyes", "nose", "mouth")
    # A face made anew after another person's photograph.
    whole = whole or portraits_are(people, "target", "eyes")
    assert {"target", "eyes"} <= {part for _, _, part in parts} or whole


def test_the_halves_of_a_face_come_from_two_people_and_one_after_the_other():
    prompt = as_api(TEMPLATES["21 Face Swap, Upper and Lower Half"])
    swaps = {node["inputs"]["area"]: node["inputs"] for node in prompt.values() if node["class_type"] == "FPFFaceSwap"}
    assert portraits(prompt, swaps["upper half"]["identity"][0]) == {example("eyes")}
    assert portraits(prompt, swaps["lower half"]["identity"][0]) == {example("mouth")}
    # The lower half is laid into what the upper half made.
    assert portraits(prompt, swaps["lower half"]["target"][0]) == {example("target"), example("eyes")}


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_one_node_with_named_photographs_and_known_widgets(name: str):
    made = BLUEPRINTS[name]
    (node,), (inner,) = made["nodes"], made["definitions"]["subgraphs"]
    assert node["type"] == inner["id"] and node["title"] == inner["name"] == name and inner["description"]
    assert [i["label"] for i in inner["inputs"]] == list(PEOPLE[name])
    assert {i["type"] for i in inner["inputs"]} == {o["type"] for o in inner["outputs"]} == {"IMAGE"}
    inside = {str(n["id"]): n for n in inner["nodes"]}
    for key, widget in node["properties"]["proxyWidgets"]:
        assert widget in [i["name"] for i in inside[key]["inputs"] if "widget" in i]


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_the_middle_of_its_template(name: str):
    (inner,) = BLUEPRINTS[name]["definitions"]["subgraphs"]
    template = TEMPLATES[TEMPLATE_OF[name]]
    outside = {n["id"]: n for n in template["nodes"] if n["type"] in OUTSIDE}
    assert {n["id"]: (n["type"], widgets(n)) for n in inner["nodes"]} == {
        n["id"]: (n["type"], widgets(n)) for n in template["nodes"] if n["id"] not in outside
    }
    own = {node["id"] for node in inner["nodes"]}
    wires = [{wire[1:] for wire in links(graph) if {wire[1], wire[3]} <= own} for graph in (inner, template)]
    assert wires[0] == wires[1]
    loaders = {n["widgets_values"][0]: n["id"] for n in outside.values() if n["type"] == "LoadImage"}
    for number, photo in enumerate(inner["inputs"]):
        taken = {wire[3:5] for wire in links(inner) if wire[1:3] == (inner["inputNode"]["id"], number)}
        assert taken == {
            wire[3:5] for wire in links(template) if wire[1] == loaders[example(PEOPLE[name][photo["label"]])]
        }


def test_every_blueprint_has_a_template():
    assert set(BLUEPRINTS) == set(TEMPLATE_OF)
