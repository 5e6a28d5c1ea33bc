"""What the Comfy registry gets: comfy-cli's own checks, its archive, and the archive in a clean ComfyUI."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.hosts import Host, Server
from support.measured import usable_hosts
from support.paths import ROOT
from support.templates import TEMPLATES, as_api

OTHER_FOLDER = "Parts_of.faces-0.1"
READ = {"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
RUNS = {"__init__.py", "pyproject.toml", "requirements.txt"}
BELOW = {
    "command", "detectors", "docs", "fusion", "injection", "metrics", "nodes", "web", "locales", "workflows",
    "subgraphs",
}  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as git has it once everything is committed, in a repository of its own."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("comfy-cli packs what git tracks, and this is not a git checkout")
    folder = tmp_path_factory.mktemp("registry") / "clone"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def _comfy(folder: Path, *words: str) -> str:
    """What `comfy` prints; it tells nobody, reaches no network and has a home of its own."""
    if importlib.util.find_spec("comfy_cli") is None:
        pytest.skip("needs comfy-cli; pip install '.[test]'")
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    homes = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME"), str(home))
    environment = os.environ | homes | nowhere | {"DO_NOT_TRACK": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    for command in (["tracking", "disable"], words):
        done = subprocess.run(
            [sys.executable, "-m", "comfy_cli", "--skip-prompt", *command],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, f"comfy {' '.join(command)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def archive(clone: Path) -> Path:
    _comfy(clone, "node", "pack")
    return clone / "node.zip"


def test_comfy_cli_finds_nothing_to_warn_of(clone):
    said = _comfy(clone, "node", "validate")
    assert "Security warnings" not in said and not re.search(r"(?i)\b(error|warning|invalid)\b", said), said


def test_the_archive_holds_what_runs_and_what_is_read_and_nothing_else(archive):
    names = set(zipfile.ZipFile(archive).namelist())
    assert {n for n in names if "/" not in n} == RUNS | READ
    assert {n.partition("/")[0] for n in names if "/" in n} == BELOW
    for folder in BELOW:
        files = {f.relative_to(ROOT).as_posix() for f in (ROOT / folder).rglob("*") if f.is_file()}
        assert {f for f in files if "__pycache__" not in f} == {n for n in names if n.startswith(f"{folder}/")}


def test_every_link_and_picture_of_the_archives_pages_is_in_it(archive):
    packed = zipfile.ZipFile(archive)
    names = set(packed.namelist())
    for page in (n for n in names if n.endswith(".md") and not n.startswith("web/")):
        links = re.findall(r"\]\(([^)#]+)", packed.read(page).decode())
        here = [posixpath.normpath(posixpath.join(posixpath.dirname(page), i)) for i in links if "://" not in i]
        assert not [link for link in here if link not in names], page
        assert here or page != "README.md"


def test_the_readme_says_of_every_node_what_it_does_with_a_link_to_its_help():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for node, schema in json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8")).items():
        line = rf"^\| \[{re.escape(schema['display_name'])}\]\(web/docs/{node}\.md\) \| [A-Z].+\. \|$"
        assert re.search(line, text, re.M), node


def test_the_readme_lists_every_template_and_no_other():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| template | what it shows | needs |\n")[2].partition("\n\n")[0]
    assert {name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])} == set(
        TEMPLATES
    )


def test_every_import_of_the_readme_works():
    imports = re.findall(r"^from (face_part_fusion\S+) import (.+)$", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert imports
    for module, names in imports:
        assert all(hasattr(importlib.import_module(module), name) for name in names.split(", ")), module


def test_the_address_and_the_publisher_are_all_that_is_left_to_fill_in():
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    comfy, urls = project["tool"]["comfy"], project["project"]["urls"]
    assert {"Repository", "Documentation", "Issues"} <= set(urls) and {"DisplayName", "PublisherId"} <= set(comfy)
    owner = re.fullmatch(r"https://github\.com/(\w[\w-]*)/face-part-fusion", urls["Repository"])[1]
    for name in ("Icon", "Banner"):
        start = f"https://raw.githubusercontent.com/{owner}/face-part-fusion/main/"
        assert comfy[name].startswith(start) and (ROOT / comfy[name].removeprefix(start)).is_file()
    assert all(f"/{owner}/face-part-fusion" in address for address in urls.values())


def test_the_archive_is_small(archive):
    assert archive.stat().st_size < 12e6


@pytest.mark.parametrize("name, size", [("icon", (400, 400)), ("banner", (1260, 540))])
def test_icon_and_banner_have_the_registrys_sizes(name, size):
    file = ROOT / "docs" / f"{name}.png"
    assert Image.open(file).size == size and file.stat().st_size < 100_000


@pytest.fixture(params=usable_hosts())
def clean_host(request: pytest.FixtureRequest, archive: Path, tmp_path: Path) -> Any:
    host: Host = request.param
    server = Server(host, tmp_path)
    shutil.rmtree(server.pack)
    server.pack = tmp_path / "custom_nodes" / OTHER_FOLDER
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(server.pack)
    with server:
        yield server


def test_the_archive_runs_in_a_clean_host_under_another_folder_name(clean_host: Server):
    assert not re.search(r"IMPORT FAILED|Traceback|Error while calling", clean_host.log()), clean_host.log()[-3000:]
    template = "02 With All Settings (no model)"
    offered = clean_host.get_json("/workflow_templates")
    assert template in offered[OTHER_FOLDER]
    graph = as_api(clean_host.get_json(f"/api/workflow_templates/{OTHER_FOLDER}/{template}.json"))
    # As web/examples.js does when the template is opened in a browser.
    photos = [node["inputs"]["image"] for node in graph.values() if node["class_type"] == "LoadImage"]
    for photo in photos:
        example = clean_host.get(f"/extensions/{OTHER_FOLDER}/examples/{photo}")
        (clean_host.base / "input" / photo).write_bytes(example)
    (save,) = (key for key, node in graph.items() if node["class_type"] == "MarkEdited")
    file = clean_host.image(clean_host.queue(graph), save)
    assert b"composited: eyes, nose, mouth" in file
    before, after = (
        np.asarray(Image.open(picture).convert("RGB")).astype(int)
        for picture in (clean_host.base / "input" / photos[0], io.BytesIO(file))
    )
    assert 0.001 < (np.abs(after - before).max(-1) > 20).mean() < 0.1


BASH = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="the publishing steps are for bash")


@BASH
@pytest.mark.parametrize("version, publishes", [("0.1.0", False), ("0.2.0", True)])
def test_only_a_new_version_is_published_with_its_own_changes(tmp_path, version, publishes):
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
    check, guard, publish = workflow["jobs"]["publish"]["steps"][1:]
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    (tmp_path / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\nkeywords = []\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 0.2.0\n\n* New.\n\n## 0.1.0\n\n* Old.\n")
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_ENV": str(tmp_path / "environment"), "BEFORE": "HEAD"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", check["run"]], cwd=tmp_path, env=os.environ | files, check=True)
    said = (tmp_path / "output").read_text() if (tmp_path / "output").exists() else ""
    assert ("changed=true" in said) is publishes
    assert publish["if"] == guard["if"] == f"steps.{check['id']}.outputs.changed == 'true'"
    changes = (tmp_path / "environment").read_text()
    assert ("* New." in changes) is publishes and ("* Old." in changes) is not publishes


@BASH
@pytest.mark.parametrize("owner, publisher, passes", [("OWNER", "me", 0), ("me", "", 0), ("me", "me", 1)])
def test_nothing_is_published_while_placeholders_are_left(tmp_path, owner, publisher, passes):
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
    guard = workflow["jobs"]["publish"]["steps"][2]["run"]
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace("com/OWNER/", f"com/{owner}/").replace('PublisherId = ""', f'PublisherId = "{publisher}"')
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", guard], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode == 0) is bool(passes), done.stdout
