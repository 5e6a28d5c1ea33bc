"""Figures that a script measured inside a real ComfyUI, for tests to judge."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.hosts import Host, find_hosts
from support.paths import TESTS

NEEDED = (0, 8, 0)
INSIDE = TESTS / "inside"


def usable_hosts() -> list[Any]:
    """Parameters for a `host` fixture: every host that the pack runs in, or one that skips."""
    found = [h for h in find_hosts() if h.numbers >= NEEDED]
    none = pytest.mark.skip(reason="no ComfyUI 0.8.0 or newer was found")
    return [pytest.param(h, id=h.version) for h in found] or [pytest.param(None, id="no host", marks=none)]


def measure(host: Host, script: str, base: Path, *words: str, patience: float = 600) -> dict[str, Any]:
    """What `inside/<script>` gave to `finish`. Raises RuntimeError with its last output when it failed."""
    (base / "models").mkdir(parents=True, exist_ok=True)
    command = [host.python, str(INSIDE / script), str(host.folder), str(base), *words]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=patience, env=environment, cwd=base
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed in ComfyUI {host.version}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.rstrip().rpartition("\n")[2])
