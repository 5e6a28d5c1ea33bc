"""The pack in a folder of any name, which it never writes to, and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.hosts import NOT_PACK
from support.paths import ROOT

# Loads the package from a folder under another name, as hosts do, and runs the command; argument 1 is the folder.
RUN = """
import importlib.util, os, sys

folder, *words = sys.argv[1:]
outside = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        outside.append(event)
    elif event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(folder):
        if set(arguments[1] or "") & set("wax+"):
            outside.append(f"{event} {arguments[0]}")
    elif event in ("os.mkdir", "os.remove", "os.rename") and str(arguments[0]).startswith(folder):
        outside.append(f"{event} {arguments[0]}")

sys.addaudithook(watch)
spec = importlib.util.spec_from_file_location("pack", folder + "/__init__.py", submodule_search_locations=[folder])
module = sys.modules["pack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from pack.command.main import main

status = main(words)
print("outside:", outside)
sys.exit(status)
"""


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-c", RUN, str(folder), *map(str, words)], capture_output=True, text=True,
        encoding="utf-8", env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip


def test_a_read_only_copy_under_a_name_with_spaces_and_letters_works_and_writes_nothing_there(tmp_path, shared_faces):
    folder = tmp_path / "Mein Päckchen (2) 顔 #1"
    shutil.copytree(ROOT, folder, ignore=NOT_PACK)
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    photo, out = shared_faces / "photos" / "skimage_astronaut.png", tmp_path / "aus gabe" / "é.png"
    for words in (["detect", photo, "-o", out], ["swap", "--target", photo, "--mouth", photo, "-o", out]):
        done = run(folder, *words)
        assert done.returncode == 0, done.stderr
        assert "outside: []" in done.stdout and out.is_file()
        out.unlink()
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_write_into_the_folder_and_a_connection_would_be_seen(tmp_path):
    (tmp_path / "command").mkdir()
    (tmp_path / "__init__.py").touch()
    (tmp_path / "command" / "__init__.py").touch()
    (tmp_path / "command" / "main.py").write_text(
        "import socket\n"
        "def main(words):\n"
        "    open(words[0], 'w').close()\n"
        "    try:\n        socket.create_connection(('127.0.0.1', 9), 0.1)\n    except OSError:\n        return 0\n"
    )
    done = run(tmp_path, tmp_path / "made")
    assert "socket.connect" in done.stdout and f"open {tmp_path / 'made'}" in done.stdout
