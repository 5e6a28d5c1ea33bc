"""Maps the repository root to the package `face_part_fusion`: the tests test this tree, never an installed copy.

Also starts the one server of each host that most of its tests need.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hosts import Server, find_hosts, why_none
from support.measured import usable_hosts
from support.sharing import (  # noqa: F401  (hooks)
    SERVER,
    limit_threads,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)
from support.templates import offer_models

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

limit_threads()


def _map_package() -> None:
    # `python -m pytest` puts the root on the path, where our nodes/ would shadow a ComfyUI's `nodes` module.
    sys.path[:] = [p for p in sys.path if Path(p or os.curdir).resolve() != ROOT]
    for name in [n for n in sys.modules if n.partition(".")[0] == "face_part_fusion"]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        "face_part_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["face_part_fusion"] = module
    spec.loader.exec_module(module)


_map_package()


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the evaluation data in {folder}, which is not here")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_faces() -> Path:
    """Folder of photographs with a manifest and landmark labels."""
    return _shared("faces")


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of small evaluation models."""
    return _shared("models")


SERVERS = [pytest.param(*host.values, id=f"{SERVER}{host.id}", marks=host.marks) for host in usable_hosts()]


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The one running server of each host: what a test writes into its folders has a name of its own."""
    running = Server(request.param, tmp_path_factory.mktemp("host"))
    offer_models(running)
    with running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from support import browser

    skipped = {report.nodeid.partition("::")[0] for report in terminalreporter.stats.get("skipped", [])}
    if any("test_hosts.py" in file for file in skipped) and not find_hosts():
        terminalreporter.write_line(f"real-host tests skipped: {why_none()}", yellow=True)
    if any("test_front_end.py" in file for file in skipped) and browser.why_none():
        terminalreporter.write_line(f"browser tests skipped: {browser.why_none()}", yellow=True)
