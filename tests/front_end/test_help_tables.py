"""The tables of the help pages have every input of the frozen schemas, with its range, default, type and cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.paths import ROOT

SCHEMAS = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
# Above this number of choices the table describes them in words.
LISTED = 8
HEADER = "| input | range, default; when to change it; cost |"
# Where a long word of a cell may break: the panel is 270 pixels wide.
BREAK = "<wbr>"


def page(node: str) -> str:
    return (ROOT / "web" / "docs" / f"{node}.md").read_text(encoding="utf-8")


def section(node: str, heading: str) -> str:
    match = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page(node), re.M | re.S)
    assert match, f"{node}.md has no section '{heading}'"
    return match[1]


def cells(node: str) -> list[list[str]]:
    """Of each row of the page's table of inputs: the inputs, range and default, when to change it, cost."""
    table = section(node, "Inputs").partition(f"{HEADER}\n|---|---|\n")[2].partition("\n\n")[0].replace(BREAK, "")
    rows = (re.split(r" \| |<br>cost: |<br>", line.strip("| ")) for line in table.splitlines())
    return [[cell.strip() for cell in row] for row in rows]


def rows(node: str) -> dict[str, str]:
    """Input -> the second cell of the row that names it."""
    return {name: row[1] for row in cells(node) for name in re.findall(r"`(\w+)`", row[0])}


def inputs(schemas: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of a node, with those that belong to a choice; without those that the host fills in."""
    for each in schemas:
        if each["group"] != "hidden":
            yield each
            for choice in each.get("options", []):
                yield from inputs(choice["inputs"] if isinstance(choice, dict) else [])


EVERY = [(node, each) for node, schema in SCHEMAS.items() for each in inputs(schema["inputs"])]


def numbers(cell: str) -> set[float]:
    return {float(number) for number in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", re.sub(r"(?<=\d)-(?=\d)", " ", cell))}


def choices(each: dict[str, Any]) -> list[str]:
    return [choice["key"] if isinstance(choice, dict) else choice for choice in each.get("options", [])]


def missing(each: dict[str, Any], cell: str) -> list[str]:
    """The words that the cell lacks."""
    default, needed = each.get("default"), []
    if "grows" in each:
        needed = [inner["type"] for inner in each["grows"]]
    elif "min" in each:
        most = [each["max"]] if each["max"] < 2**63 else []
        needed = [f"{number:g}" for number in (each["min"], *most, default) if number not in numbers(cell)]
        return needed + ([] if most or "2^64 - 1" in cell else ["2^64 - 1"])
    elif each["type"] == "BOOLEAN":
        needed = ["on, off", "; on" if default else "; off"]
    elif each["type"] == "STRING":
        needed = ["empty"] if default == "" else ["lines"] if "\n" in default else [default]
    elif choices(each):
        needed = [*(choices(each) if len(choices(each)) <= LISTED else []), f"; {default or choices(each)[0]}"]
    elif "COMBO" in each["type"]:
        return [] if re.search("file|folder", cell) else ["file or folder"]
    else:
        needed = [each["type"], *(["optional"] if each["group"] == "optional" else [])]
    return [word for word in needed if word not in cell]


@pytest.mark.parametrize(("node", "each"), EVERY, ids=[f"{node}-{each['id']}" for node, each in EVERY])
def test_the_table_says_range_choices_and_default(node: str, each: dict[str, Any]):
    cell_by_input = rows(node)
    assert each["id"] in cell_by_input, f"{node}.md has no row for {each['id']}"
    cell = cell_by_input[each["id"]]
    left_out = missing(each, cell)
    assert not left_out, f"{node}.md says '{cell}' of {each['id']} and leaves out {left_out}"


@pytest.mark.parametrize("node", SCHEMAS)
def test_the_table_has_no_input_that_does_not_exist(node: str):
    assert set(rows(node)) <= {each["id"] for each in inputs(SCHEMAS[node]["inputs"])}


@pytest.mark.parametrize("node", SCHEMAS)
def test_the_page_says_what_every_input_and_the_node_as_a_whole_cost(node: str):
    assert section(node, "Cost").strip()
    assert all(len(row) == 4 and all(row) for row in cells(node)), cells(node)


@pytest.mark.parametrize(
    ("each", "cell", "left_out"),
    [
        ({"type": "FLOAT", "min": 0.0, "max": 3.0, "default": 1.0}, "0-3; 1", []),
        ({"type": "FLOAT", "min": -0.5, "max": 2.0, "default": 0.05}, "-0.5 to 2 face lengths; 0.1", ["0.05"]),
        ({"type": "INT", "min": 0, "max": 2**64 - 1, "default": 0}, "from 0; 0", ["2^64 - 1"]),
        ({"type": "BOOLEAN", "default": True}, "on, off; off", ["; on"]),
        ({"type": "COMBO", "default": "a", "options": ["a", "b"]}, "a, c; a", ["b"]),
        ({"type": "MASK", "group": "optional"}, "MASK", ["optional"]),
    ],
)
def test_what_a_cell_leaves_out_is_noticed(each: dict[str, Any], cell: str, left_out: list[str]):
    assert missing(each, cell) == left_out
