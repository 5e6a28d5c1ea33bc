"""Damaged graphs by the thousand: what reads them for the mark of an edit gives sentences, and does not run on."""

from __future__ import annotations

import copy
import importlib.util
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.paths import ROOT

GRAPHS = 2000
# Seconds in which a graph of any shape is read; they take a thousandth of that.
PATIENCE = 2.0
WRONG = (None, 0, -1, 1e308, "", "Ω" * 500, [], {}, [[]], [1], ["a", 0], [None, 0], [["a"], 0], True, {"inputs": {}})


def reader() -> Callable[[Any, str], list[str]]:
    # The module knows nothing of the host, but its folder's __init__ does.
    spec = importlib.util.spec_from_file_location("graph_edits", ROOT / "nodes" / "host" / "graph_edits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.edits_before


def prompts() -> list[dict[str, Any]]:
    """The templates as graphs in API format, as far as links and values of their widgets tell."""
    graphs = []
    for file in sorted((ROOT / "workflows").glob("*.json")):
        saved = json.loads(file.read_text(encoding="utf-8"))
        links = {link[0]: [str(link[1]), link[2]] for link in saved["links"]}
        graphs.append({
            str(node["id"]): {
                "class_type": node["type"],
                "inputs": {
                    **{f"widget{i}": value for i, value in enumerate(node.get("widgets_values") or [])},
                    **{i["name"]: links[i["link"]] for i in node.get("inputs", []) if i.get("link") in links},
                },
            }
            for node in saved["nodes"]
        })  # fmt: skip
    return graphs


def mutate(graph: dict[str, Any], r: random.Random) -> None:
    name = r.choice(list(graph))
    node = graph[name]
    kind = r.randrange(7)
    if kind == 0:
        graph[name] = r.choice(WRONG)
    elif kind == 1:
        del graph[name]
    elif not isinstance(node, dict):
        return
    elif kind == 2:
        node[r.choice(["class_type", "inputs", "new"])] = r.choice(WRONG)
    elif kind == 3:
        node.pop(r.choice(["class_type", "inputs"]), None)
    elif isinstance(inputs := node.get("inputs"), dict):
        key = r.choice([*inputs, "eyes", "references.reference0"])
        others = list(graph)
        inputs[key] = r.choice(WRONG) if kind < 6 else [r.choice(others), r.choice((0, 1, -5))]


def test_two_thousand_mutated_graphs_are_read_without_a_crash_or_a_hang():
    edits_before, graphs, r, told = reader(), prompts(), random.Random(16), 0
    assert len(graphs) >= 5
    for number in range(GRAPHS):
        graph = copy.deepcopy(graphs[number % len(graphs)])
        for _ in range(r.choice((1, 2, 8, 40))):
            if graph:
                mutate(graph, r)
        started = time.perf_counter()
        for node in [*graph, "not there"]:
            sentences = edits_before(graph, node)
            assert all(isinstance(each, str) and each for each in sentences)
            told += len(sentences)
        assert time.perf_counter() - started < PATIENCE
    assert told > GRAPHS, "the graphs say what was edited"


def test_a_ring_of_nodes_and_a_chain_of_thousands_end():
    edits_before = reader()
    ring = {str(i): {"class_type": "PartComposite", "inputs": {"image": [str((i + 1) % 9), 0]}} for i in range(9)}
    assert edits_before(ring, "0") == ["Parts of several photographs composited: none"]
    chain = {str(i): {"class_type": "MaskedFusion", "inputs": {"model": [str(i + 1), 0]}} for i in range(20_000)}
    assert edits_before(chain, "0") == ["Region made anew by a diffusion model"]


@pytest.mark.parametrize(
    "graph", [{}, {"1": None}, {"1": {"inputs": None}}, {"1": {"inputs": {"a": ["2", 0]}}, "2": 5}]
)
def test_graphs_without_nodes_of_ours_say_nothing(graph):
    assert reader()(graph, "1") == []
