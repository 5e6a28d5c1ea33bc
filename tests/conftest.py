"""Maps the repository root to the package `face_part_fusion`: the tests test this tree, never an installed copy.

Also shares the tests out over processes, and starts the one server of each host that most of them need.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hosts import Host, Server, find_hosts, why_none
from support.measured import usable_hosts

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
# Each process holds torch, a host with its models and perhaps a browser: about 4 GB.
MOST_PROCESSES = 4


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    # Read by torch when it is imported, here and in the hosts.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, _cores() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))))


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


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process for each core; none but this one for a single core, or where single files are named."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = min(_cores(), MOST_PROCESSES)
    folders = [Path(word.partition("::")[0]).is_dir() for word in config.args]
    return cores if cores > 1 and any(folders) else 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Tests that share a server or a script's figures are a group, which one process runs; long groups go first."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
    yield
    order: dict[str, int] = {}
    for item in items:
        order.setdefault(_name(item), 2 - bool(_host(item)))
    for item in items:
        if item.get_closest_marker("slow"):
            order[_name(item)] = 0
    first = {name: i for i, name in enumerate(order)}
    items.sort(key=lambda item: (order[_name(item)], first[_name(item)]))


def _group(item: pytest.Item) -> str:
    host, fixtures = _host(item), getattr(item, "fixturenames", ())
    if host and "server" in fixtures:
        return f"server of {host.folder.name}"
    file = item.path.relative_to(ROOT).as_posix()
    return f"{file} in {host.folder.name}" if host else file


def _host(item: pytest.Item) -> Host | None:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return next((value for value in parameters if isinstance(value, Host)), None)


def _name(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0])


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


@pytest.fixture(scope="session", params=usable_hosts())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The one running server of each host: what a test writes into its folders has a name of its own."""
    running = Server(request.param, tmp_path_factory.mktemp("host"))
    running.offer_models()
    with running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from support import browser

    skipped = {report.nodeid.partition("::")[0] for report in terminalreporter.stats.get("skipped", [])}
    if any("test_hosts.py" in file for file in skipped) and not find_hosts():
        terminalreporter.write_line(f"real-host tests skipped: {why_none()}", yellow=True)
    if any("test_front_end.py" in file for file in skipped) and browser.why_none():
        terminalreporter.write_line(f"browser tests skipped: {browser.why_none()}", yellow=True)
