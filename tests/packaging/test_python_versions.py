"""The pack's own source is read by every Python from 3.10 on, without a warning, and imports nothing newer."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT, TESTS

VERSIONS = (10, 11, 12, 13, 14)
FOLDERS = ("command", "detectors", "fusion", "injection", "nodes", "training")
SOURCES = [ROOT / "__init__.py", *(file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py")))]
# Modules and names of the standard library that came after 3.10, by module.
NEWER = {
    "tomllib": None, "wsgiref.types": None, "annotationlib": None, "compression": None, "string.templatelib": None,
    "concurrent.interpreters": None, "pathlib.types": None, "typing": {"Self", "Never", "LiteralString", "Required",
    "NotRequired", "Unpack", "TypeVarTuple", "assert_never", "assert_type", "override", "reveal_type", "TypeAliasType",
    "ReadOnly", "TypeIs"}, "enum": {"StrEnum", "ReprEnum", "verify", "member", "nonmember"}, "itertools": {"batched"},
    "datetime": {"UTC"}, "contextlib": {"chdir"}, "asyncio": {"TaskGroup", "timeout", "Runner"}, "warnings":
    {"deprecated"}, "math": {"sumprod", "cbrt", "exp2"}, "hashlib": {"file_digest"}, "operator": {"call"},
}  # fmt: skip
READ = """
import pathlib, sys, warnings
warnings.simplefilter("error")
for name in sys.stdin.read().split("\\0"):
    compile(pathlib.Path(name).read_text(encoding="utf-8"), name, "exec", dont_inherit=True)
"""


def interpreter(minor: int) -> str | None:
    """A Python 3.<minor> on the path or in pyenv's folder that starts."""
    folders = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    own = [sys.executable] if sys.version_info[:2] == (3, minor) else []
    found = [*own, shutil.which(f"python3.{minor}"), *map(str, sorted(folders.glob(f"3.{minor}.*/bin/python3")))]
    for python in filter(None, found):
        if subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            return python
    return None


@pytest.mark.parametrize("minor", VERSIONS)
def test_every_source_file_compiles_without_a_warning(minor):
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"Python 3.{minor} is not installed")
    names = "\0".join(map(str, SOURCES))
    done = subprocess.run([python, "-c", READ], input=names, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-600:]


@pytest.mark.parametrize("minor", VERSIONS)
def test_every_module_is_imported_with_stand_ins_for_other_packages(minor):
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"Python 3.{minor} is not installed")
    done = subprocess.run(
        [python, "-B", TESTS / "support" / "import_alone.py", ROOT], capture_output=True, text=True, encoding="utf-8"
    )
    modules = sum("training" not in file.parts for file in SOURCES) - 1
    assert done.returncode == 0 and done.stdout.startswith(f"{modules} imported by 3.{minor}."), (
        done.stdout + done.stderr
    )


def test_the_grammar_is_that_of_the_oldest():
    for file in SOURCES:
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, VERSIONS[0]))


def newer(source: str) -> set[str]:
    """What a source imports that Python 3.10 lacks; `module.name` of an imported module counts too."""
    used = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names if NEWER.get(alias.name, ()) is None}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module in NEWER:
            names = NEWER[node.module]
            used |= {f"{node.module}.{a.name}" for a in node.names if names is None or a.name in names}
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (names := NEWER.get(node.value.id))
        ):
            used |= {f"{node.value.id}.{node.attr}"} if node.attr in names else set()
    return used


def test_nothing_is_imported_that_the_oldest_lacks():
    assert {file.name: names for file in SOURCES if (names := newer(file.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize("line", [
    "import tomllib", "from typing import Self", "import math; math.cbrt(8)", "from enum import StrEnum"
])  # fmt: skip
def test_a_newer_name_is_seen(line):
    assert newer(line)
