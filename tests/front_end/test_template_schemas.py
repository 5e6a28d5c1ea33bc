"""The templates and blueprints against the frozen schemas: every input known, every value allowed, every link whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.paths import ROOT
from support.templates import BLUEPRINTS, NOTES, SECOND, TEMPLATES, links, widgets

SCHEMAS = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
GRAPHS = TEMPLATES | {name: blueprint["definitions"]["subgraphs"][0] for name, blueprint in BLUEPRINTS.items()}
# The shape that the front end gives to an optional socket.
OPTIONAL = 7
TYPES = {"INT": int, "FLOAT": (int, float), "BOOLEAN": bool, "STRING": str, "COMBO": str, "COMFY_DYNAMICCOMBO_V3": str}


def problems(graph: dict[str, Any]) -> list[str]:
    """What is wrong with a workflow or with the inside of a blueprint."""
    nodes = [node for node in graph["nodes"] if node["type"] not in NOTES]
    return [*link_problems(graph), *(f"{node['type']} {problem}" for node in nodes for problem in node_problems(node))]


def node_problems(node: dict[str, Any]) -> Iterator[str]:
    for socket in node["inputs"]:
        if "widget" not in socket and socket.get("shape") != OPTIONAL and socket["link"] is None:
            yield f"has nothing in {socket['name']}"
    if node["type"] not in SCHEMAS:
        return
    schema = SCHEMAS[node["type"]]
    values = widgets(node)
    specs = dict(inputs(schema["inputs"], values, len(node["inputs"])))
    names = {socket["name"]: socket["type"] for socket in node["inputs"]}
    for name, spec in specs.items():
        if name not in names:
            if not spec.get("may_lack"):
                yield f"has no input {name}"
        elif names[name] != spec["type"]:
            yield f"has {names[name]} in {name}, not {spec['type']}"
        elif name in values and not allowed(values[name], spec):
            yield f"has {values[name]!r} in {name}"
    yield from (f"has the unknown input {name}" for name in names if name not in specs)
    if [[output["type"], output["name"]] for output in node["outputs"]] != schema["outputs"]:
        yield "has other outputs"


def inputs(specs: list[dict[str, Any]], values: dict[str, Any], most: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name in a file -> what the schema says of it; of a growing input as many sockets as there may be."""
    for spec in specs:
        if "grows" in spec:
            (inner,) = spec["grows"]
            for number in range(min(most, spec["max"])):
                yield f"{spec['id']}.{spec['prefix']}{number}", inner | {"may_lack": number >= spec["min"]}
        elif spec["group"] != "hidden":
            yield spec["id"], spec
            chosen = [c for c in spec.get("options", []) if isinstance(c, dict) and c["key"] == values.get(spec["id"])]
            yield from ((f"{spec['id']}.{name}", s) for c in chosen for name, s in inputs(c["inputs"], {}, 0))


def allowed(value: Any, spec: dict[str, Any]) -> bool:
    if not isinstance(value, TYPES[spec["type"]]) or (isinstance(value, bool) and spec["type"] != "BOOLEAN"):
        return False
    options = [option["key"] if isinstance(option, dict) else option for option in spec.get("options", [])]
    return spec.get("min", value) <= value <= spec.get("max", value) and (not options or value in options)


def link_problems(graph: dict[str, Any]) -> Iterator[str]:
    """Links that are not named at both of their ends, with one type, and ends that name no link."""
    starts = {(link, node, slot, kind) for link, node, slot, _, _, kind in links(graph)}
    ends = {(link, node, slot, kind) for link, _, _, node, slot, kind in links(graph)}
    for link, node, slot, kind in (starts ^ set(outputs(graph))) | (ends ^ set(sockets(graph))):
        yield f"link {link} of type {kind} is not the same in the list of links and in slot {slot} of node {node}"


def outputs(graph: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Link, node, slot and type of what comes out of a node, or into a blueprint."""
    for node in graph["nodes"]:
        for slot, output in enumerate(node["outputs"]):
            yield from ((link, node["id"], slot, output["type"]) for link in output.get("links") or ())
    for slot, socket in enumerate(graph.get("inputs", ())):
        yield from ((link, graph["inputNode"]["id"], slot, socket["type"]) for link in socket["linkIds"])


def sockets(graph: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Link, node, slot and type of what goes into a node, or out of a blueprint."""
    for node in graph["nodes"]:
        for slot, socket in enumerate(node["inputs"]):
            if socket.get("link") is not None:
                yield socket["link"], node["id"], slot, socket["type"]
    for slot, output in enumerate(graph.get("outputs", ())):
        yield from ((link, graph["outputNode"]["id"], slot, output["type"]) for link in output["linkIds"])


@pytest.mark.parametrize("name", GRAPHS)
def test_every_input_value_and_link_fits_the_schemas(name: str):
    assert problems(GRAPHS[name]) == []


def set_value(kind: str, number: int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(graph: dict[str, Any]) -> None:
        next(node for node in graph["nodes"] if node["type"] == kind)["widgets_values"][number] = value

    return change


def set_slot(kind: str, slots: str, number: int, **entries: Any) -> Callable[[dict[str, Any]], None]:
    def change(graph: dict[str, Any]) -> None:
        next(node for node in graph["nodes"] if node["type"] == kind)[slots][number] |= entries

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (set_value("PartComposite", 0, 99.0), "PartComposite has 99.0 in eyes_strength"),
        (set_value("PartComposite", 0, True), "PartComposite has True in eyes_strength"),
        (set_value("PartComposite", 5, "none"), "PartComposite has 'none' in warp"),
        (set_value("MarkEdited", 2, 95.5), "MarkEdited has 95.5 in quality"),
        (set_slot("PartComposite", "inputs", 0, link=None), "PartComposite has nothing in target"),
        (set_slot("PartComposite", "inputs", 1, name="ayes"), "PartComposite has the unknown input ayes"),
        (set_slot("PartComposite", "inputs", 0, type="MASK"), "PartComposite has MASK in target, not FACE_PARTS"),
        (set_slot("PartComposite", "outputs", 0, links=[]), "is not the same in the list of links and in slot 0"),
        (lambda graph: graph["links"].pop(), "is not the same in the list of links and in slot"),
    ],
)
def test_a_fault_is_seen(change: Callable[[dict[str, Any]], Any], problem: str):
    graph = copy.deepcopy(TEMPLATES[SECOND])
    change(graph)
    assert any(problem in said for said in problems(graph))
