"""Ids, order, types, ranges and defaults of every node are frozen: saved graphs rely on them."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from types import ModuleType
from typing import Any

import pytest
from support.hosts import NODE_IDS
from support.measured import measure, usable_hosts
from support.paths import ROOT

SNAPSHOT = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
FROZEN = (
    "Saved graphs rely on ids, order and defaults: node and input ids never change, inputs are appended. If every old "
    "graph still works as before, renew the snapshot with tools/make_schemas.py."
)


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_schemas", ROOT / "tools" / "make_schemas.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=usable_hosts())
def schemas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _tool().frozen(measure(request.param, "schemas.py", tmp_path_factory.mktemp("schemas")))


def test_no_node_comes_or_goes_unnoticed(schemas):
    assert set(schemas) == set(SNAPSHOT), FROZEN


@pytest.mark.parametrize("node", sorted(SNAPSHOT))
def test_the_schema_is_the_frozen_one(schemas, node):
    assert schemas.get(node) == SNAPSHOT[node], f"{node} has changed. {FROZEN}"


def test_the_snapshot_holds_every_node_that_is_declared():
    declared = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "nodes").glob("*.py"))
    assert set(SNAPSHOT) == set(re.findall(r'node_id="(\w+)"', declared)), FROZEN


def test_every_node_derives_from_the_base_class_that_makes_its_errors_plain():
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (ROOT / "nodes").glob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    nodes = [ast.unparse(each) for each in classes if "FaceNode" in map(ast.unparse, each.bases)]
    assert {re.search(r"node_id='(\w+)'", node)[1] for node in nodes} == set(SNAPSHOT)


def test_no_id_of_a_release_is_given_up():
    """The snapshot can be renewed with another id; this list is written by hand, and only grows."""
    assert set(SNAPSHOT) >= NODE_IDS, FROZEN


def test_ids_that_other_public_packs_have_carry_our_prefix():
    taken = {"FaceCropAlign", "FacePasteBack", "FacePartMask"}
    assert not taken & set(SNAPSHOT), "two packs with one id: ComfyUI keeps the node of the one that it loads last"
    assert {f"FPF{node}" for node in taken} <= set(SNAPSHOT)


SWAPS = {
    "PartComposite", "PartReference", "RegionAssemble", "AdditionInject", "FuseAnyPartLoader", "MaskFuse",
    "MaskedFusion", "OmniRepresentationCondition", "RepresentationAssemble", "HeadSwap",
    "FaceSwapLoad", "FPFFaceSwap", "FPFSwapFaceParts",
}  # fmt: skip
PARTS = {"FacePartDetect", "FPFFacePartMask", "PartReference", "PartComposite", "PartEncode", "FPFSwapFaceParts"}


@pytest.mark.parametrize("word, nodes", [
    ("face swap", SWAPS), ("faceswap", SWAPS), ("eyes", PARTS), ("nose", PARTS), ("mouth", PARTS),
    ("mask", {"FacePartDetect", "FPFFacePartMask", "FaceParse", "MaskedFusion", "RegionAssemble", "ControllerApply"}),
    ("ipadapter", {"ControllerLoad", "ControllerApply", "FaceRepresentationEncode", "OmniRepresentationCondition"}),
])  # fmt: skip
def test_the_words_that_people_type_find_the_nodes(word, nodes):
    assert {node for node, words in _aliases().items() if word in words} == nodes


def _aliases() -> dict[str, list[str]]:
    """Search aliases by node id, from the source, because ComfyUI 0.8.0 does not know them."""
    aliases = {}
    for file in (ROOT / "nodes").glob("*.py"):
        for call in (c for c in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(c, ast.Call)):
            keywords = {keyword.arg: keyword.value for keyword in call.keywords}
            if "node_id" in keywords:
                aliases[ast.literal_eval(keywords["node_id"])] = ast.literal_eval(keywords["search_aliases"])
    return aliases


@pytest.mark.parametrize("change", ["default", "order", "id"])
def test_a_changed_input_is_noticed(schemas, change):
    changed = json.loads(json.dumps(schemas["PartReference"]))
    first, second = changed["inputs"][1:3]
    if change == "order":
        changed["inputs"][1:3] = [second, first]
    else:
        first[change] = "another"
    assert changed != SNAPSHOT["PartReference"]


def test_choices_that_are_files_on_disk_are_left_out():
    for node, names in _tool().FILES.items():
        from_disk = [i for i in _all(SNAPSHOT[node]) if i["id"] in names]
        assert {i["id"] for i in from_disk} == names
        assert not [i for i in from_disk if "options" in i]


def _all(node: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [choice["inputs"] for i in node["inputs"] for choice in i.get("options", []) if isinstance(choice, dict)]
    return [*node["inputs"], *(i for group in inner for i in group)]
