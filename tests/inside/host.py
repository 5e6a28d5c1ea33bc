"""Runs inside a ComfyUI's own Python: brings up the real host without its server, on CPU, with this pack's nodes.

A script beside this file begins with `from host import start, finish`; `tests/support/measured.py` runs it.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


@functools.cache
def start() -> dict[str, type]:
    """The pack's nodes by id, in the host that the command line names (`script.py HOST BASE [more]`)."""
    load_host(*sys.argv[1:3])
    extension = asyncio.run(_package().comfy_entrypoint())
    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}


def load_host(folder: str, base: str) -> None:
    """Import the host in `folder` with `base` as its base directory, or move an imported one to that directory."""
    sys.path[:] = [folder, *(p for p in sys.path if p != folder and Path(p or ".").resolve() != ROOT)]
    words, sys.argv = sys.argv, sys.argv[:1]
    from comfy.cli_args import args

    args.cpu, args.base_directory, args.disable_metadata = True, base, True
    if "folder_paths" in sys.modules:
        # It computes every folder from the base directory when it is imported.
        importlib.reload(sys.modules["folder_paths"])
    import nodes  # noqa: F401  (the host's: it must be the first of that name)

    sys.argv = words


def _package() -> Any:
    spec = importlib.util.spec_from_file_location(
        "face_part_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = sys.modules["face_part_fusion"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def says(work: Callable[[], Any]) -> str:
    """The message of the ValueError that `work` ends in, nothing when it ends well."""
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


def finish(measured: dict[str, Any]) -> None:
    """Hand the figures to the test that asked for them."""
    sys.stdout.write("\n" + json.dumps(measured) + "\n")
