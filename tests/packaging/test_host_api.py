"""Every name of the host that the pack imports, and every call of one, against the source of each host: nothing is run.

By comfy-import-guard, which reads a git clone of ComfyUI; a repository made of the host's own files stands for it.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.hosts import FOLDER, NOT_PACK, Host
from support.measured import usable_hosts
from support.paths import ROOT

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("comfy_import_guard") is None, reason="needs comfy-import-guard; pip install '.[test]'"
    ),
    pytest.mark.skipif(shutil.which("git") is None, reason="comfy-import-guard reads the host through git"),
]

# Got by getattr with a default, which the guard does not see: hosts without it are served as well.
WITH_DEFAULT = {"comfy.model_patcher.CoreModelPatcher"}


@pytest.fixture(scope="module", params=usable_hosts())
def clone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the guard's clone of this host."""
    host: Host = request.param
    cache = tmp_path_factory.mktemp("guard")
    folder = cache / "ComfyUI"
    for file in host.folder.rglob("*.py"):
        name = file.relative_to(host.folder)
        if name.parts[0] != "custom_nodes":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", host.version)):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return cache


def verdict(clone: Path, install: Path) -> dict[str, Any]:
    """What the guard says of the pack in the ComfyUI folder `install`."""
    done = subprocess.run(
        [
            sys.executable, "-m", "comfy_import_guard.cli", "check", "--offline", "--strict", "--json", "--quiet",
            "--cache-dir", str(clone), "--target", "HEAD", "--comfy-dir", str(install),
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout, done.stderr
    (pack,) = json.loads(done.stdout)["packs"]
    return pack


@pytest.fixture
def install(tmp_path: Path) -> Path:
    shutil.copytree(ROOT, tmp_path / "custom_nodes" / FOLDER, ignore=NOT_PACK)
    return tmp_path


def test_every_name_is_there_and_every_call_fits(clone: Path, install: Path):
    pack = verdict(clone, install)
    missing = {row["dotted"] for row in pack["breaking"]}
    assert missing <= WITH_DEFAULT, json.dumps(pack, indent=2)
    assert not pack["soft"] and not pack["unresolvable"] and not pack["signature_drift"], json.dumps(pack, indent=2)
    assert pack["references"] > 50 and pack["unparseable"] == []


@pytest.mark.parametrize(
    "line", ["from comfy.sd import nothing_of_this_name", "import comfy.sd; comfy.sd.load_diffusion_model(neither=1)"]
)
def test_a_name_that_is_gone_and_a_call_that_does_not_fit_are_seen(clone: Path, install: Path, line: str):
    (install / "custom_nodes" / FOLDER / "nodes" / "broken.py").write_text(f"{line}\n")
    assert "nodes/broken.py" in [row["file"] for row in verdict(clone, install)["breaking"]]
