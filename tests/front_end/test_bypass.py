"""A bypassed node in a template: the picture passes through it, and no prompt goes where another belongs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.hosts import NODE_IDS
from support.templates import BLUEPRINTS, NOTES, TEMPLATES, as_api, links, wires, without

CASES = [
    pytest.param(name, node["id"], id=f"{node['type']} {node['id']} of {name}")
    for name, workflow in TEMPLATES.items()
    for node in workflow["nodes"]
    if node["type"] not in NOTES
]
OURS = [case for case in CASES if case.id.split()[0] in NODE_IDS]

# Nodes that take both prompts and give them changed: output -> the input that it is.
PASSES = {
    "ControlNetApplyAdvanced": {0: "positive", 1: "negative"},
    "HeadSwap": {3: "positive", 4: "negative"},
}


def of_type(prompt: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    return [node for node in prompt.values() if node["class_type"] in types]


def source_of(prompt: dict[str, Any], link: Any) -> Any:
    """The prompt's text where a link of conditioning begins."""
    node = prompt[link[0]]
    if node["class_type"] in PASSES:
        before = node["inputs"].get(PASSES[node["class_type"]][link[1]])
        return None if before is None else source_of(prompt, before)
    return node["inputs"].get("text", link) if node["class_type"] == "CLIPTextEncode" else link


@pytest.mark.parametrize(("name", "node"), CASES)
def test_a_bypassed_node_never_gives_the_positive_prompt_to_negative(name: str, node: int):
    whole, prompt = as_api(TEMPLATES[name]), without(TEMPLATES[name], node)
    for number, other in prompt.items():
        given, before = other["inputs"].get("negative"), whole[number]["inputs"].get("negative")
        source = None if given is None else source_of(prompt, given)
        if source is not None:
            assert source == source_of(whole, before)
            assert given != other["inputs"].get("positive")


@pytest.mark.parametrize("name", [n for n, w in TEMPLATES.items() if of_type(as_api(w), "PartComposite")])
def test_a_bypassed_part_composite_passes_the_targets_picture(name: str):
    (number,) = (node["id"] for node in TEMPLATES[name]["nodes"] if node["type"] == "PartComposite")
    whole, prompt = as_api(TEMPLATES[name]), without(TEMPLATES[name], number)
    target = whole[whole[str(number)]["inputs"]["target"][0]]["inputs"]["image"]
    takers = [key for key, node in whole.items() if [str(number), 0] in node["inputs"].values() and key in prompt]
    assert takers
    for taker in takers:
        assert target in prompt[taker]["inputs"].values(), whole[taker]["class_type"]


@pytest.mark.parametrize(
    ("name", "node"), [c for c in OURS if c.id.split()[0] in ("MaskedFusion", "ControllerApply", "FPFFacePasteBack")]
)
def test_with_a_node_of_the_sampling_bypassed_the_template_still_saves_a_picture(name: str, node: int):
    whole, prompt = as_api(TEMPLATES[name]), without(TEMPLATES[name], node)
    for number in _upstream(prompt, next(k for k, n in prompt.items() if n["class_type"] == "MarkEdited")):
        lacking = {key for key, value in whole[number]["inputs"].items() if isinstance(value, list)}
        lacking -= prompt[number]["inputs"].keys()
        assert not lacking or whole[number]["class_type"] in NODE_IDS, (whole[number]["class_type"], lacking)


def _upstream(prompt: dict[str, Any], node: str) -> set[str]:
    found = {node}
    for value in prompt[node]["inputs"].values():
        if isinstance(value, list):
            found |= _upstream(prompt, value[0])
    return found


CUT = {"FPFFaceCropAlign", "FPFFacePasteBack"}


@pytest.mark.parametrize(
    "name", [n for n, w in TEMPLATES.items() if CUT <= {node["class_type"] for node in as_api(w).values()}]
)
def test_without_cutting_out_and_pasting_back_a_template_works_on_the_whole_picture(name: str):
    nodes = TEMPLATES[name]["nodes"]
    prompt = without(TEMPLATES[name], *(node["id"] for node in nodes if node["type"] in CUT))
    whole, saving = without(TEMPLATES[name]), next(k for k, n in prompt.items() if n["class_type"] == "MarkEdited")
    for number in _upstream(prompt, saving):
        lacking = wires({number: whole[number]})[number].keys() - prompt[number]["inputs"].keys()
        assert not lacking - {"mask"}, (whole[number]["class_type"], lacking)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_bypassed_blueprint_passes_the_targets_picture_where_the_new_one_came_out(name: str):
    (outer,), (inner,) = BLUEPRINTS[name]["nodes"], BLUEPRINTS[name]["definitions"]["subgraphs"]
    assert outer["inputs"][0]["name"] in ("target", "body")
    assert outer["outputs"][0]["type"] == outer["inputs"][0]["type"]
    (made,) = (link for link in links(inner) if link[3] == -20 and link[4] == 0)
    maker = next(node for node in inner["nodes"] if node["id"] == made[1])
    assert maker["type"] in ("PartComposite", "HeadSwap", "VAEDecode"), json.dumps(made)
