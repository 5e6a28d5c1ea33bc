"""What an installation relies on: the package list, the licences of bundled files, no surprises at import."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.hosts import NODE_IDS

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = None

from support.paths import ROOT

OUTSIDE = {"tests", "benchmarks", "tools", "build", "dist", "workflows", "web"}
FORBIDDEN = {"pip", "ensurepip", "urllib", "requests", "http", "socket", "ftplib", "huggingface_hub", "aiohttp"}


def package_folders() -> list[Path]:
    return sorted(f.parent for f in ROOT.rglob("__init__.py") if _inside(f))


def sources() -> Iterator[Path]:
    return (f for f in ROOT.rglob("*.py") if _inside(f))


def _inside(file: Path) -> bool:
    parts = file.relative_to(ROOT).parts
    return parts[0] not in OUTSIDE and not any(p.startswith(".") or p in ("venv", "__pycache__") for p in parts)


def project() -> dict:
    if tomllib is None:
        pytest.skip("tomllib comes with Python 3.11")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_folder_of_the_package_is_installed():
    listed = set(project()["tool"]["setuptools"]["packages"])
    present = {".".join(("face_part_fusion", *f.relative_to(ROOT).parts)) for f in package_folders()}
    assert listed == present


def test_every_folder_with_code_is_a_package():
    assert {f.parent for f in sources()} == set(package_folders())


def test_weights_and_help_pages_are_package_data():
    data = project()["tool"]["setuptools"]["package-data"]
    rooms = {ROOT.joinpath(*package.split(".")[1:]): patterns for package, patterns in data.items()}
    weights = {w for room, patterns in rooms.items() for pattern in patterns for w in room.glob(pattern)}
    weights = {w for w in weights if w.parent.name == "weights"}
    assert weights == {f for f in ROOT.rglob("weights/*") if _inside(f)} and weights
    most = {"face_parser": 4e6, "layout_generator": 2e6}
    assert sum(w.stat().st_size for w in weights if w.stem not in most) < 6e6
    assert all(w.stat().st_size < most[w.stem] for w in weights if w.stem in most)
    served = {f for f in (ROOT / "web").rglob("*") if f.is_file()}
    assert {p for pattern in data["face_part_fusion"] for p in ROOT.glob(pattern)} == served


def test_notice_names_every_bundled_weight_file_with_its_hash():
    listed = dict(reversed(p) for p in re.findall(r"^ *([0-9a-f]{64})  (\S+)$", (ROOT / "NOTICE").read_text(), re.M))
    weights = [w for w in ROOT.rglob("weights/*.safetensors") if _inside(w)]
    assert listed == {w.relative_to(ROOT).as_posix(): hashlib.sha256(w.read_bytes()).hexdigest() for w in weights}


def test_nothing_is_required_of_the_host():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []
    assert project()["project"]["dependencies"] == []


def test_the_needed_host_version_is_the_same_everywhere():
    import face_part_fusion

    assert project()["tool"]["comfy"]["requires-comfyui"] == f">={face_part_fusion.HOST_NEEDED}"


@pytest.mark.parametrize("file", list(sources()), ids=lambda f: f.relative_to(ROOT).as_posix())
def test_no_network_no_pip_no_path_edits(file: Path):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not {n.partition(".")[0] for n in names} & FORBIDDEN, f"line {node.lineno} imports {names}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
            assert node.attr != "path", f"line {node.lineno} touches sys.path"


@pytest.mark.parametrize("file", list(sources()), ids=lambda f: f.relative_to(ROOT).as_posix())
def test_only_nodes_imports_the_host_and_the_package_imports_itself_relatively(file: Path):
    relative = file.relative_to(ROOT)
    # The version is read inside the entry point, which only a host calls.
    allowed = relative.parts[0] == "nodes" or relative.as_posix() == "__init__.py"
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        tops = {n.partition(".")[0] for n in names}
        assert "face_part_fusion" not in tops, f"line {getattr(node, 'lineno', 0)}: use a relative import"
        assert allowed or not {t for t in tops if t.startswith("comfy") or t == "folder_paths"}


def test_import_outside_a_host_brings_in_neither_host_nor_torch():
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('face_part_fusion', {str(ROOT / '__init__.py')!r},"
        f" submodule_search_locations=[{str(ROOT)!r}])\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['face_part_fusion'] = module\n"
        "spec.loader.exec_module(module)\n"
        "assert module.comfy_entrypoint and module.WEB_DIRECTORY\n"
        "bad = [m for m in sys.modules if m.startswith('comfy') or m in ('torch', 'folder_paths')]\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_old_host_is_refused_in_one_sentence_with_both_versions(monkeypatch):
    from types import SimpleNamespace

    import face_part_fusion

    monkeypatch.setitem(sys.modules, "comfyui_version", SimpleNamespace(__version__="0.3.64"))
    with pytest.raises(RuntimeError, match=r"needs ComfyUI 0\.8\.0 or newer and found 0\.3\.64") as refusal:
        face_part_fusion.comfy_entrypoint().send(None)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("found", ["0.8.0", "0.10.1", "1.0", "0.33.0-rc1"])
def test_new_hosts_pass_the_guard(monkeypatch, found):
    from types import SimpleNamespace

    import face_part_fusion

    monkeypatch.setitem(sys.modules, "comfyui_version", SimpleNamespace(__version__=found))
    face_part_fusion._refuse_old_host()


def test_every_node_id_has_a_help_page_and_no_page_is_left_over():
    assert {p.stem for p in (ROOT / "web" / "docs").glob("*.md")} == NODE_IDS
    declared = "".join(f.read_text(encoding="utf-8") for f in (ROOT / "nodes").glob("*.py"))
    assert set(re.findall(r'node_id="(\w+)"', declared)) == NODE_IDS


@pytest.mark.parametrize("node", sorted(NODE_IDS))
def test_every_help_page_shows_one_picture_under_its_first_paragraph(node):
    page = (ROOT / "web" / "docs" / f"{node}.md").read_text(encoding="utf-8")
    title, first, shown = page.split("\n\n")[:3]
    assert title.startswith("# ") and not first.startswith(("!", "#", "|"))
    # The front end looks for it beside the page, and writes the words between quotation marks.
    assert re.fullmatch(rf'!\[[^\[\]"<>]{{20,}}\]\({node}\.jpg\)', shown), shown
    assert len(re.findall(r"!\[|<img", page)) == 1
    file = ROOT / "web" / "docs" / f"{node}.jpg"
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and 640 <= picture.width <= 800
    assert file.stat().st_size <= 40_000


def test_the_help_pictures_are_those_of_the_pages_and_small_together():
    pictures = {f for f in (ROOT / "web" / "docs").rglob("*") if f.is_file() and f.suffix != ".md"}
    assert pictures == {ROOT / "web" / "docs" / f"{node}.jpg" for node in NODE_IDS}
    assert sum(f.stat().st_size for f in pictures) <= 35_000 * len(NODE_IDS)


def test_six_scripts_are_served_to_the_browser_and_nothing_stray():
    scripts = ["examples.js", "faces.js", "labels.js", "last_run.js", "node_pictures.js", "words.js"]
    assert sorted(f.name for f in (ROOT / "web").rglob("*.js")) == scripts
    assert {f.name for f in (ROOT / "web").iterdir()} == {"docs", "examples", *scripts}


def test_the_entry_file_stays_short():
    assert len((ROOT / "__init__.py").read_text().splitlines()) < 50
