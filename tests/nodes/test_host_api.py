"""Every name of the host that the pack uses exists in its source, and every call fits; nothing is run for that."""

from __future__ import annotations

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

# Names that the pack looks up with a default, because only newer hosts have them.
NEWER = {"comfy.model_patcher.CoreModelPatcher"}


@pytest.fixture(scope="module", params=usable_hosts())
def findings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comfy-import-guard finds in the pack, checked against the commit of this host's checkout."""
    pytest.importorskip("comfy_import_guard", reason="needs comfy-import-guard; pip install '.[test]'")
    host: Host = request.param
    if not (host.folder / ".git").exists():
        pytest.skip(f"{host.folder} is not a git checkout, which comfy-import-guard reads")
    base = tmp_path_factory.mktemp("guard")
    shutil.copytree(ROOT, base / "comfy" / "custom_nodes" / FOLDER, ignore=NOT_PACK)
    # The name that the tool looks for in its cache.
    (base / "ComfyUI").symlink_to(host.folder, target_is_directory=True)
    return run(base)


def run(base: Path) -> dict[str, Any]:
    words = ["--quiet", "--offline", "--json", "--cache-dir", str(base)]
    check = ["check", "--comfy-dir", str(base / "comfy"), "--target", "HEAD"]
    command = [sys.executable, "-m", "comfy_import_guard.cli", *words, *check]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["packs"][0]


def test_the_host_has_every_name_that_the_pack_uses(findings: dict[str, Any]):
    assert findings["references"] > 40 and findings["unparseable"] == []
    missing = {finding["dotted"] for kind in ("breaking", "soft") for finding in findings[kind]}
    assert missing <= NEWER and findings["unresolvable"] == []


def test_no_call_or_replacement_of_the_host_has_other_parameters(findings: dict[str, Any]):
    assert findings["signature_drift"] == []
