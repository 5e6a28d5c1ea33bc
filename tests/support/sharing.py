"""How the tests are shared out over processes: how many there are, what stays together, and what goes first.

tests/conftest.py takes the hooks from here.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import pytest

from .hosts import find_hosts

# Each process holds torch, a host with its models and perhaps a browser: about 4 GB.
MOST_PROCESSES = 4
# Begins the parameter of tests that use the one server of a host.
SERVER = "server of "


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads() -> None:
    """Give each process its share of the cores: torch reads this when it is imported, here and in the hosts."""
    if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
        count = max(1, cores() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
        os.environ.setdefault("OMP_NUM_THREADS", str(count))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process for each core; none but this one for a single core, or where single files are named."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    folders = [Path(word.partition("::")[0]).is_dir() for word in config.args]
    return min(cores(), MOST_PROCESSES) if cores() > 1 and any(folders) else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Shares out whole groups, in their order."""
    # --dist=loadgroup would do it, but xdist 3.8 loses its groups with pytest 9.2.
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return GroupScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long groups go first, so that processes end together."""
    ranks: dict[str, int] = {}
    for item in items:
        group = group_of(item.nodeid)
        rank = 0 if item.get_closest_marker("slow") else 1 if _host(item.nodeid) else 2
        ranks[group] = min(rank, ranks.get(group, rank))
    places = {group: (rank, place) for place, (group, rank) in enumerate(ranks.items())}
    items.sort(key=lambda item: places[group_of(item.nodeid)])


def group_of(nodeid: str) -> str:
    """What one process runs from end to end: the tests of a host's server, or those of a file in one host."""
    server = next((word for word in _parameters(nodeid) if word.startswith(SERVER)), "")
    return server or f"{nodeid.partition('::')[0]} {_host(nodeid)}"


def _host(nodeid: str) -> str:
    """The version of the host that the test has as a parameter, or nothing."""
    return next((word for word in _parameters(nodeid) if word.removeprefix(SERVER) in _versions()), "")


def _parameters(nodeid: str) -> list[str]:
    return nodeid.partition("[")[2].rstrip("]").split("-")


@functools.cache
def _versions() -> frozenset[str]:
    return frozenset(host.version for host in find_hosts())
