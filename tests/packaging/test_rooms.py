"""Each room imports only what the map of the house allows (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

FOLDERS = ("detectors", "fusion", "injection", "metrics", "training", "nodes", "command")
SYSTEMS = {"fuse_any_part", "ip_adapter", "facex", "face_fusion", "hs_diffusion", "reliable_swap", "unif2ace"}
SHARED = {"unet", "sampling", "files", "faces"}
BELOW = {
    "detectors": set(),
    "fusion": {"detectors"},
    "injection": {"detectors", "fusion"},
    "metrics": {"detectors", "fusion", "injection"},
    "training": {"detectors", "fusion", "injection", "metrics"},
    "nodes": {"detectors", "fusion", "injection", "metrics"},
    "command": {"detectors", "fusion", "injection", "metrics", "training"},
}
HOST = (
    "comfy", "comfy_api", "comfy_execution", "comfy_extras", "comfyui_version", "execution", "folder_paths",
    "node_helpers", "server",
)  # fmt: skip
# What ComfyUI brings; everything else is optional and imported inside the function that uses it.
BROUGHT = {"torch", "numpy", "PIL", "safetensors", "tqdm"}

FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def modules_imported(file: Path) -> Iterator[tuple[int, str, bool]]:
    """(line, module, whether at import time); the pack's own modules as paths from the root, such as fusion.crop."""
    package = file.relative_to(ROOT).parent.parts
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.Lambda)) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.ImportFrom):
            parents = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            names = [".".join(filter(None, (*parents, alias.name))) for alias in node.names]
        else:
            continue
        for name in names:
            yield node.lineno, name, id(node) not in inside


def own(module: str) -> tuple[str, str]:
    """Folder and room of one of the pack's modules; both empty for any other."""
    folder, _, rest = module.partition(".")
    return (folder, rest.partition(".")[0]) if folder in FOLDERS else ("", "")


def relative_imports(file: Path) -> list[tuple[int, str, str]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    relative = {n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level}
    return [(line, *own(module)) for line, module, _ in modules_imported(file) if line in relative]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_folder_imports_only_itself_and_those_below_it(file: Path):
    folder = file.relative_to(ROOT).parts[0]
    upward = [(line, to) for line, to, _ in relative_imports(file) if to and to not in BELOW[folder] | {folder}]
    assert not upward


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_systems_room_imports_the_shared_rooms_and_no_other_system(file: Path):
    parts = file.relative_to(ROOT).parts
    if parts[0] != "injection" or len(parts) < 3:
        return
    allowed = SHARED | ({parts[1]} if parts[1] in SYSTEMS else set())
    rooms = [(line, room) for line, folder, room in relative_imports(file) if folder == "injection" and room]
    assert not [(line, room) for line, room in rooms if room not in allowed]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_only_nodes_import_the_host_and_only_what_it_brings_is_imported_at_once(file: Path):
    relative = {line for line, _, _ in relative_imports(file)}
    outside = [(line, m.partition(".")[0], now) for line, m, now in modules_imported(file) if line not in relative]
    third = [(line, top, now) for line, top, now in outside if top not in sys.stdlib_module_names | {"__future__"}]
    if file.relative_to(ROOT).parts[0] == "nodes":
        third = [(line, top, now) for line, top, now in third if top not in HOST]
    assert not [(line, top) for line, top, _ in third if top in HOST], "the host is imported outside nodes/"
    assert not [(line, top) for line, top, now in third if now and top not in BROUGHT]


def test_every_room_is_known_to_this_test():
    rooms = {file.parent.name for file in (ROOT / "injection").glob("*/__init__.py")}
    assert rooms <= SYSTEMS | SHARED
    assert not list((ROOT / "injection").glob("[!_]*.py")), "a file of injection/ lies outside the rooms"
