"""Figures that a script measured inside a real ComfyUI, for tests to judge."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
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
    command = [str(INSIDE / script), str(host.folder), str(base), *words]
    run = _fork_server(host).run if sys.platform == "linux" else functools.partial(_run_alone, host)
    status, output, errors = run(command, patience)
    if status:
        raise RuntimeError(f"{script} failed in ComfyUI {host.version}:\n{output[-2000:]}\n{errors[-4000:]}")
    return json.loads(output.rstrip().rpartition("\n")[2])


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}


def _run_alone(host: Host, command: list[str], patience: float) -> tuple[int, str, str]:
    done = subprocess.run(
        [host.python, *command], capture_output=True, text=True, encoding="utf-8", timeout=patience,
        env=_environment(), cwd=command[2],
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


class _ForkServer:
    """`inside/fork_server.py` in a host's Python: importing torch and the host takes longer than most scripts."""

    def __init__(self, host: Host) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fork_server_"))
        self.log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [host.python, str(INSIDE / "fork_server.py"), str(host.folder), str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=self.folder,
            # Threads do not survive a fork, so torch must not have started any.
            env=_environment() | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        atexit.register(self.stop)

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, command: list[str], patience: float) -> tuple[int, str, str]:
        assert self.process.stdin is not None and self.process.stdout is not None
        files = {name: self.folder / name for name in ("output", "errors")}
        request = {"words": command, **{name: str(file) for name, file in files.items()}}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], patience)[0]:
            self.stop()
            _fork_server.cache_clear()
            raise RuntimeError(f"{command[0]} took longer than {patience:.0f} s")
        answer = self.process.stdout.readline()
        if not answer:
            _fork_server.cache_clear()
            return 1, "", (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        return int(answer), *(file.read_text(encoding="utf-8", errors="replace") for file in files.values())


_fork_server = functools.cache(_ForkServer)
