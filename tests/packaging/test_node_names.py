"""The layers below the nodes do not name nodes: the command and a diffusers pipeline show their messages too."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

SOURCES = sorted(file for folder in ("detectors", "fusion", "injection") for file in (ROOT / folder).rglob("*.py"))
TEXTS = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))


def classes() -> set[str]:
    """A class below the nodes may have the name of a node id, as fusion's record PartReference has."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in SOURCES)
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


NAMES = {*TEXTS, *(texts["display_name"] for texts in TEXTS.values())} - classes()
NAME = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(NAMES, key=len, reverse=True)))})(?!\w)")


def mentions(source: str) -> Iterator[str]:
    """'line 3: Part Encode' for every node named in a string literal, docstrings and pieces of f-strings included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"line {node.lineno}: {name}" for name in NAME.findall(node.value))


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_layer_below_the_nodes_names_a_node(file: Path):
    assert list(mentions(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "mentioned"),
    [
        ("raise ValueError(f'{a} of Part Encode, {b}')", ["Part Encode"]),
        ("'wire in MaskFuse'; 'Face Crop (Aligned)'", ["MaskFuse", "Face Crop (Aligned)"]),
        ("'parts encoded by a part encoder'; PartEncode = 1", []),
    ],
)
def test_a_node_that_is_named_is_seen(source: str, mentioned: list[str]):
    assert [line.partition(": ")[2] for line in mentions(source)] == mentioned
